"""What every format does the same way: the metadata a reference carries, and findings about what was read.

A reference's metadata must say everything its reading depends on besides file contents, and nothing else: the part
of the recipe that influences reading, and the slice of the dataset's own metadata this episode needs. Whatever
else changes (more episodes, another folder, a defect declared) then re-runs nothing.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache, sha256_of
from pipeline.pseudo.trackers import TRACKERS
from schemas.finding import Finding, Verdict
from schemas.identity import canonical_json
from schemas.recipe_source import SourceSection
from schemas.source import EpisodeRef, SourceFile, make_ref
from schemas.source_card import SourceCard

S = TypeVar("S", bound=SourceSection)

_TRAVELLING = {"licence", "consent"}
"""What of a source's card every episode carries."""
_NOT_READING: Any = {
    "name": True,
    "path": True,
    "known_defects": True,
    "card": set(SourceCard.model_fields) - _TRAVELLING,
}
"""Keys of a source that say where it is, what it is called, what people know about it and whom to ask."""


def metadata_of(spec: SourceSection, dataset: dict[str, Any]) -> str:
    """Canonical JSON of the recipe's part and the dataset's part; the content of `EpisodeRef.metadata`.

    Where hands are looked for, what looks for them counts too: another model finds other hands.
    """
    parts: dict[str, Any] = {"recipe": reading_part(spec), "dataset": dataset}
    if spec.pseudo_actions is not None:
        parts["tracker"] = TRACKERS[spec.pseudo_actions.method].revision()
    return canonical_json(parts)


def reading_part(spec: SourceSection) -> dict[str, Any]:
    """What of a source's recipe section says how its recordings are read, as JSON has it."""
    return spec.model_dump(mode="json", exclude=_NOT_READING)


def stated_part(ref: EpisodeRef) -> Any:
    """The `reading_part` a reference was made with. Raises ValueError or KeyError for one that has none."""
    return json.loads(ref.metadata)["recipe"]


def reference(
    spec: SourceSection,
    root: str,
    *,
    embodiment: str,
    locator: str,
    files: tuple[SourceFile, ...],
    metadata: str,
    inside: str | None = None,
) -> EpisodeRef:
    """An episode of a source, called and kept as its recipe section says; ``embodiment`` is what it says by default."""
    return make_ref(
        source=spec.name,
        kind=spec.kind,
        dataset=spec.name,
        embodiment=spec.embodiment or embodiment,
        locator=locator,
        root=root,
        files=files,
        metadata=metadata,
        inside=inside,
    )


def source_files(
    files: SourceFiles, digests: DigestCache, parts: Iterable[tuple[str, FileStat]]
) -> tuple[SourceFile, ...]:
    """What an episode is made of: part and file, in the order given, identified by content."""
    return tuple(SourceFile(part, stat.path, sha256_of(files, stat, digests), stat.size) for part, stat in parts)


def dataset_part(ref: EpisodeRef) -> dict[str, Any]:
    """The ``dataset`` a format put into `metadata_of`."""
    part: dict[str, Any] = json.loads(ref.metadata)["dataset"]
    return part


def recipe_part(ref: EpisodeRef, spec: type[S]) -> S:
    """The recipe's source section as it was at discovery."""
    return spec.model_validate({**json.loads(ref.metadata)["recipe"], "name": ref.source, "path": ref.root})


def common_part(ref: EpisodeRef) -> SourceSection:
    """What the recipe says of the source in the keys all formats share."""
    stated = json.loads(ref.metadata)["recipe"]
    common = {key: value for key, value in stated.items() if key in SourceSection.model_fields}
    return SourceSection.model_validate({**common, "name": ref.source, "path": ref.root})


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


def declared_defects(spec: SourceSection) -> Iterator[Finding]:
    """One finding per defect that the recipe declares."""
    for defect in spec.known_defects:
        message = f"{spec.name}: the recipe declares the defect '{defect}' for every recording of this source"
        yield about_source(spec.name, defect, message)
