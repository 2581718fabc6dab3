"""What every format does the same way: the metadata a reference carries, and findings about what was read.

A reference's metadata must say everything its reading depends on besides file contents, and nothing else: the part
of the recipe that influences reading, and the slice of the dataset's own metadata this episode needs. Whatever
else changes (more episodes, another folder, a defect declared) then re-runs nothing.
"""

import json
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel

from schemas.finding import Finding, Verdict
from schemas.identity import canonical_json
from schemas.recipe import SourceSpec
from schemas.source import EpisodeRef

S = TypeVar("S", bound=BaseModel)

_NOT_READING = {"name", "path", "known_defects"}
"""Keys of a source that say where it is, what it is called and what people know about it."""


def metadata_of(spec: SourceSpec, dataset: dict[str, Any]) -> str:
    """Canonical JSON of the recipe's part and the dataset's part; the content of `EpisodeRef.metadata`."""
    return canonical_json({"recipe": spec.model_dump(mode="json", exclude=_NOT_READING), "dataset": dataset})


def dataset_part(ref: EpisodeRef) -> dict[str, Any]:
    """The ``dataset`` a format put into `metadata_of`."""
    part: dict[str, Any] = json.loads(ref.metadata)["dataset"]
    return part


def recipe_part(ref: EpisodeRef, spec: type[S]) -> S:
    """The recipe's source section as it was at discovery."""
    return spec.model_validate({**json.loads(ref.metadata)["recipe"], "name": ref.source, "path": ref.root})


def format_of(ref: EpisodeRef) -> str:
    """Which format the reference was made by."""
    return str(json.loads(ref.metadata)["recipe"]["format"])


def about_source(
    source: str, check: str, message: str, *, verdict: Verdict = Verdict.KEEP, value: float | None = None
) -> Finding:
    """A finding of discovery about a whole source."""
    return Finding(source, source, "discover", check, verdict, message, value)


def about_episode(
    ref: EpisodeRef, check: str, message: str, value: float | None = None, threshold: float | None = None
) -> Finding:
    """A finding of reading one episode; it removes nothing. ``message`` is completed with where it was found."""
    where = f"{ref.source}, {ref.locator}: {message}"
    return Finding(ref.episode_id, ref.source, "ingest", check, Verdict.KEEP, where, value, threshold)


def declared_defects(spec: SourceSpec) -> Iterator[Finding]:
    """One finding per defect that the recipe declares."""
    for defect in spec.known_defects:
        message = f"{spec.name}: the recipe declares the defect '{defect}' for every recording of this source"
        yield about_source(spec.name, defect, message)
