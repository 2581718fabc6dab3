"""What is beside an episode's document: where it is from, its views and signals, and what the machine thought.

`jobs.review` makes it from a workspace, so that nothing here opens one. A copy for a blind rater holds nothing that the
machine concluded: no evidence, no alternatives, no findings, no suggestions.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter

from annotators.review.database import Database
from annotators.review.document import Document
from annotators.review.store import UnknownEpisodeError

_TABLES = """
CREATE TABLE IF NOT EXISTS sheet (
    episode_id TEXT PRIMARY KEY, run TEXT NOT NULL, personal INTEGER NOT NULL, source TEXT NOT NULL,
    instruction TEXT NOT NULL, n_frames INTEGER NOT NULL, duration_s REAL NOT NULL, packed BLOB NOT NULL
) STRICT;
"""


@dataclass(frozen=True)
class SheetView:
    """One camera."""

    name: str
    role: str
    width: int
    height: int
    n_frames: int


@dataclass(frozen=True)
class Signal:
    """A quantity over time, on the episode's clock; None where it is not known."""

    name: str
    unit: str
    arm: str
    times_ns: tuple[int, ...]
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Evidence:
    """Why the machine set a boundary."""

    kind: str
    confidence: float
    detectors: tuple[str, ...]
    doubts: tuple[str, ...]
    needs_vlm: bool
    why: str
    """One sentence."""


@dataclass(frozen=True)
class Alternative:
    """Other words for an event."""

    caption: str
    verb: str
    objects: tuple[str, ...]
    arm: str | None
    by: str


@dataclass(frozen=True)
class SheetFinding:
    """What a check said about the episode."""

    check: str
    verdict: str
    said: str


@dataclass(frozen=True)
class Sheet:
    """One episode's."""

    source: str
    kind: str
    dataset: str
    locator: str
    instruction: str
    embodiment: str
    licence: str
    personal: bool
    """Whether people can be recognised in it, or nobody has said that they cannot."""
    duration_s: float
    views: tuple[SheetView, ...]
    master: str
    signals: tuple[Signal, ...] = ()
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    """By boundary id."""
    alternatives: Mapping[str, tuple[Alternative, ...]] = field(default_factory=dict)
    """By label key."""
    findings: tuple[SheetFinding, ...] = ()


@dataclass(frozen=True)
class Imported:
    """An episode as the pipeline hands it over."""

    document: Document
    sheet: Sheet
    risk: float
    run: str
    """Which result of the pipeline it is from; another one means another tree."""


_SHEET: TypeAdapter[Sheet] = TypeAdapter(Sheet)


def blind(sheet: Sheet) -> Sheet:
    """Without anything that the machine concluded."""
    return replace(sheet, evidence={}, alternatives={}, findings=())


def dump_sheet(sheet: Sheet) -> dict[str, object]:
    """JSON-ready form."""
    dumped: dict[str, object] = _SHEET.dump_python(sheet, mode="json")
    return dumped


class Sheets:
    """The sheets of one review file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.sql.executescript(_TABLES)

    def put(self, episode: Imported) -> None:
        """Keep a sheet, in place of an older one."""
        sheet = episode.sheet
        self._database.write(
            "INSERT OR REPLACE INTO sheet VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            episode.document.episode_id, episode.run, int(sheet.personal), sheet.source, sheet.instruction,
            episode.document.n_frames, sheet.duration_s, zlib.compress(json.dumps(dump_sheet(sheet)).encode()),
        )  # fmt: skip

    def get(self, episode_id: str) -> Sheet:
        """Raises KeyError for an episode that is not under review."""
        row = self._database.row("SELECT packed FROM sheet WHERE episode_id = ?", episode_id)
        if row is None:
            raise UnknownEpisodeError(episode_id)
        return _SHEET.validate_json(zlib.decompress(row["packed"]))

    def run_of(self, episode_id: str) -> str:
        """Which result of the pipeline the episode was taken from; empty when it was not."""
        row = self._database.row("SELECT run FROM sheet WHERE episode_id = ?", episode_id)
        return "" if row is None else str(row["run"])

    def personal(self, episode_id: str) -> bool:
        """Whether its pictures may show people who can be recognised; True when nothing is known."""
        row = self._database.row("SELECT personal FROM sheet WHERE episode_id = ?", episode_id)
        return row is None or bool(row["personal"])
