"""The steps of one RLDS episode: its record's lists as rows, on a clock that the recipe's rate makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.reference import dataset_part, recipe_part
from pipeline.sources.rlds.rlds_example import Example, parse_example
from pipeline.sources.rlds.rlds_features import STEPS, Feature, FeatureKind, feature_of
from pipeline.sources.storage.tfrecord import record_at
from pipeline.video import to_ns
from schemas.array import Bools, Floats, Ints
from schemas.recipe_formats.rlds import RldsSource
from schemas.source import EpisodeRef

RECORD = "record"
"""The `SourceFile.part` of an episode; its path is the shard's, its digest and size are the record's own."""
_EPISODE = "episode_metadata"
_MARKS = ("is_first", "is_last", "is_terminal")
_MAX_STEPS = 1_000_000


@dataclass(frozen=True)
class Steps:
    """One record. Features are named without ``steps/`` and ``episode_metadata/``."""

    example: Example
    features: Mapping[str, Feature]
    """Of the steps, as features.json states them."""
    episode: Mapping[str, Feature]
    """Of the episode as a whole."""
    fps: float

    @property
    def where(self) -> str:
        return self.example.where

    @cached_property
    def n_steps(self) -> int:
        """How many steps there are. Raises SourceError when there are none or no feature says it."""
        for name in (*_MARKS, *self.features):
            feature = self.features.get(name)
            if feature is None or not self.has(name) or feature.kind is FeatureKind.OTHER:
                continue
            listed = f"{STEPS}/{name}"
            if feature.kind is FeatureKind.NUMBER:
                count = len(self.example.numbers_of(listed)) // max(feature.size, 1)
            else:
                count = len(self.example.bytes_of(listed))
            if not 0 < count <= _MAX_STEPS:
                raise SourceError(f"{self.where}: {listed} has {count} steps, expected between 1 and {_MAX_STEPS}")
            return count
        raise SourceError(f"{self.where}: none of the features in features.json is there; it is of another version")

    def has(self, name: str) -> bool:
        """Whether the record holds a feature of the steps."""
        return f"{STEPS}/{name}" in self.example

    @cached_property
    def edges_ns(self) -> Ints:
        """int64 [T + 1]: when steps begin, and when the last one ends."""
        period = 1 / Fraction(str(self.fps)).limit_denominator(1001)
        return np.array([to_ns(step, period) for step in range(self.n_steps + 1)], np.int64)

    def numbers(self, name: str) -> Floats:
        """A feature of numbers, float64 [T, W]. Raises SourceError when there is none, or not T times W of them."""
        feature = self.features.get(name)
        if feature is None or feature.kind is not FeatureKind.NUMBER:
            there = sorted(key for key, value in self.features.items() if value.kind is FeatureKind.NUMBER)
            raise SourceError(f"{self.where}: no feature {name!r} of numbers, found {there}; correct the recipe")
        values = self.example.numbers_of(f"{STEPS}/{name}")
        self._check_count(name, len(values), feature.size)
        return values.reshape(self.n_steps, feature.size)

    def flags(self, name: str) -> Bools:
        """A feature of one truth value per step, bool [T]."""
        return np.asarray(self.numbers(name)[:, 0] != 0)

    def files_of(self, name: str) -> list[memoryview]:
        """The picture files of a view, one per step."""
        found = self.example.bytes_of(f"{STEPS}/{name}")
        self._check_count(name, len(found), 1)
        return found

    def texts(self, name: str) -> list[str]:
        """A feature of one text per step, or of one code point per number, zeros after them (language_table)."""
        feature = self.features[name]
        if feature.kind is FeatureKind.TEXT:
            return [str(text, "utf-8", "replace").strip() for text in self.files_of(name)]
        rows = self.numbers(name)
        known, place = np.unique(rows, axis=0, return_inverse=True)
        said = ["".join(chr(int(code)) for code in row if 0 < code < 0xD800).strip() for row in known]
        return [said[row] for row in place.reshape(-1)]

    def episode_texts(self) -> list[tuple[str, str]]:
        """(name, value) of what the record says of the episode as a whole."""
        found = []
        for name, feature in self.episode.items():
            listed = f"{_EPISODE}/{name}"
            if listed not in self.example or feature.size != 1:
                continue
            if feature.kind is FeatureKind.TEXT:
                values = [str(value, "utf-8", "replace") for value in self.example.bytes_of(listed)]
            elif feature.kind is FeatureKind.NUMBER:
                numbers = self.example.numbers_of(listed)
                values = [str(bool(n)).lower() if feature.dtype == "bool" else f"{n:g}" for n in numbers]
            else:
                continue
            found += [(name, value) for value in values[:1]]
        return found

    def _check_count(self, name: str, count: int, size: int) -> None:
        if count != self.n_steps * size:
            raise SourceError(
                f"{self.where}: {STEPS}/{name} holds {count} values, expected {size} for each of {self.n_steps} steps; "
                "features.json is of another version or the record is damaged"
            )


def locator_of(shard: str, offset: int) -> str:
    """An episode's locator. The offset stands here and not in the metadata: it is no part of what was recorded."""
    return f"{shard}#{offset}"


def load_steps(ref: EpisodeRef, files: SourceFiles) -> Steps:
    """An episode's record. Raises SourceError when it is damaged or not the one that was listed."""
    file, offset = ref.file(RECORD), int(ref.locator.rpartition("#")[2])
    name = files.url_of(file.path)
    with files.open(file.path) as stream:
        record = record_at(stream, offset, file.n_bytes, name)
    said: dict[str, Any] = dataset_part(ref)
    return Steps(
        example=parse_example(record, f"{name}, record at byte {offset}"),
        features={key: feature_of(value) for key, value in said["steps"].items()},
        episode={key: feature_of(value) for key, value in said["episode"].items()},
        fps=recipe_part(ref, RldsSource).fps,
    )
