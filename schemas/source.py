"""What a source lists before anything is decoded: episode references with content fingerprints.

An `EpisodeRef` is cheap to make and says everything needed to read one episode again later. Its
``episode_id`` depends on file *contents* and the locator inside the source, never on where the files lie:
``root`` and ``path`` are looked up afresh on each run, so a moved folder re-runs nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from schemas.identity import make_id


class SourceKind(StrEnum):
    """The seven families WALL-WM ingests (wall_wm.md §2.1)."""

    INTERNET = "internet"
    EGOCENTRIC = "egocentric"
    UMI = "umi"
    TELEOP = "teleop"
    OPEN_ROBOT = "open_robot"
    SELF_COLLECTED = "self_collected"
    RECOVERY = "recovery"


@dataclass(frozen=True)
class SourceFile:
    """One file an episode is read from: its part in the episode, path below the source's root, content hash."""

    part: str
    """``table`` for tabular data, ``video/<camera>`` for a view; unique within an episode."""
    path: str
    sha256: str
    n_bytes: int


@dataclass(frozen=True)
class EpisodeRef:
    """One episode a source offers, found but not yet read."""

    episode_id: str
    source: str
    """The source's name in the recipe."""
    kind: SourceKind
    dataset: str
    embodiment: str
    """Robot type, ``human`` or ``none``; with ``dataset`` it names the group that shares a calibration."""
    locator: str
    """Which episode inside the source, in the source's own words, e.g. ``episode_index=29``."""
    root: str
    """URL or path of the source on this run. Never part of an id or a work key."""
    files: tuple[SourceFile, ...]
    metadata: str
    """Canonical JSON of the source metadata that this episode's meaning depends on."""
    fingerprint: str
    """Digest of file contents, locator and metadata: the input key of ``ingest``."""

    def file(self, part: str) -> SourceFile:
        """The file that plays ``part``; raises KeyError naming the parts there are."""
        for file in self.files:
            if file.part == part:
                return file
        raise KeyError(f"{self.locator}: no file for '{part}', found {[file.part for file in self.files]}")


def make_ref(
    *,
    source: str,
    kind: SourceKind,
    dataset: str,
    embodiment: str,
    locator: str,
    root: str,
    files: tuple[SourceFile, ...],
    metadata: str,
    inside: str | None = None,
) -> EpisodeRef:
    """An `EpisodeRef` with its id and fingerprint filled in.

    ``inside`` is the part of the locator that says which episode *inside the files* is meant; it differs from
    ``locator`` where the latter is a path (a folder of videos), which must not make a renamed copy another recording.

    The id covers the file contents and the locator; the fingerprint adds the metadata, so that a corrected
    ``info.json`` re-runs an episode without changing who it is.
    """
    contents = [f"{file.part}={file.sha256}" for file in sorted(files, key=lambda file: file.part)]
    episode_id = make_id("ep", locator if inside is None else inside, *contents)
    return EpisodeRef(
        episode_id=episode_id,
        source=source,
        kind=kind,
        dataset=dataset,
        embodiment=embodiment,
        locator=locator,
        root=root,
        files=files,
        metadata=metadata,
        fingerprint=make_id("fp", episode_id, dataset, embodiment, str(kind), metadata),
    )
