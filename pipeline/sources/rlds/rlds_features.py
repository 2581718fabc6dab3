"""What a TFDS dataset's ``features.json`` says about its records: which lists there are, of which shape and type.

A record is flat (``steps/observation/state``: all steps' numbers in a row); only this file says how wide a step is.
Written against the file of a real dataset and TFDS's own ``feature.proto``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Any

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.storage.json_file import dict_of, document, text_of

FEATURES = "features.json"
STEPS = "steps"
_MAX_DEPTH = 16
_MAX_SIZE = 1 << 20
"""Numbers of one step; a picture kept as numbers is larger and is not read as numbers."""


class FeatureKind(StrEnum):
    """How a feature's list is read."""

    NUMBER = "number"
    TEXT = "text"
    PICTURE = "picture"
    OTHER = "other"
    """Lists of lists, compressed tensors, sound, video: told and passed over."""


@dataclass(frozen=True)
class Feature:
    """One list of a record."""

    kind: FeatureKind
    shape: tuple[int, ...]
    """Of one step."""
    dtype: str

    @property
    def size(self) -> int:
        """How many numbers one step has."""
        return prod(self.shape)

    @property
    def said(self) -> list[Any]:
        """As the reference's metadata keeps it; `feature_of` is the way back."""
        return [str(self.kind), list(self.shape), self.dtype]


def feature_of(said: list[Any]) -> Feature:
    """The feature that `Feature.said` wrote down."""
    kind, shape, dtype = said
    return Feature(FeatureKind(kind), tuple(shape), dtype)


@dataclass(frozen=True)
class Features:
    """The lists of a record by name, without ``steps/`` and ``episode_metadata/``."""

    steps: Mapping[str, Feature]
    episode: Mapping[str, Feature]


def load_features(files: SourceFiles, folder: str) -> Features:
    """A dataset's features. Raises SourceError when the file says nothing of steps."""
    path = f"{folder}/{FEATURES}".lstrip("/")
    where = files.url_of(path)
    top = dict_of(dict_of(dict_of(document(files, path)).get("featuresDict")).get("features"))
    inside = dict_of(dict_of(dict_of(top.get(STEPS)).get("sequence")).get("feature"))
    if not inside:
        raise SourceError(
            f"{where}: no feature 'steps' that is a sequence, found {sorted(top)[:12]}; expected an RLDS dataset, "
            "whose records are episodes"
        )
    episode = dict(_flat("", dict_of(top.get("episode_metadata")), 0, where))
    return Features(dict(_flat("", inside, 0, where)), episode)


def _flat(name: str, stated: Mapping[str, Any], depth: int, where: str) -> Iterator[tuple[str, Feature]]:
    """The features below one, by path."""
    if depth > _MAX_DEPTH:
        raise SourceError(f"{where}: features stand more than {_MAX_DEPTH} deep; the file is damaged")
    if "featuresDict" in stated:
        for key, value in sorted(dict_of(dict_of(stated["featuresDict"]).get("features")).items()):
            yield from _flat(f"{name}/{key}".lstrip("/"), dict_of(value), depth + 1, where)
    elif stated:
        yield name, _feature(stated)


def _feature(stated: Mapping[str, Any]) -> Feature:
    if "text" in stated:
        return Feature(FeatureKind.TEXT, (), "string")
    if "classLabel" in stated:
        return Feature(FeatureKind.NUMBER, (), "int64")
    said = dict_of(stated.get("image", stated.get("tensor")))
    shape, dtype = _shape(said.get("shape")), text_of(said.get("dtype"))
    if "image" in stated and shape is not None:
        return Feature(FeatureKind.PICTURE, shape, dtype or "uint8")
    packed = text_of(said.get("encoding")) not in ("", "none")
    if not said or packed or shape is None or min(shape, default=1) < 1 or prod(shape) > _MAX_SIZE:
        return Feature(FeatureKind.OTHER, (), "")
    if dtype == "string":
        return Feature(FeatureKind.TEXT if prod(shape) == 1 else FeatureKind.OTHER, (), dtype)
    return Feature(FeatureKind.NUMBER, shape, dtype)


def _shape(stated: object) -> tuple[int, ...] | None:
    """Sides, -1 for those of pictures that vary; None where they mean nothing. Protobuf writes int64 as text."""
    sides = dict_of(stated).get("dimensions", [])
    if not isinstance(sides, list) or len(sides) > _MAX_DEPTH:
        return None
    found = []
    for side in sides:
        if (
            not isinstance(side, str | int)
            or not str(side).removeprefix("-").isdecimal()
            or len(str(side)) > _MAX_DEPTH
        ):
            return None
        found.append(int(side))
    return tuple(found)
