"""``joinery view``: every episode's events as a coarser benchmark sees them, one JSON line per episode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from annotators.tree.pick_place import View, coarse_view
from jobs.river import RIVER
from pipeline.errors import JoineryError
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.event import Event
from schemas.source import EpisodeRef

CHUNK = 64


@dataclass(frozen=True)
class Viewed:
    """What was written."""

    path: str
    episodes: int
    spans: int


def write_view(workspace: Workspace, ledger: Ledger, view: View, out: Path) -> Viewed:
    """The view of every present tree, in order of source and locator. Raises JoineryError when there is none."""
    episodes = spans = 0
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", encoding="utf-8") as file:
        for line in _lines(workspace, ledger, view):
            episodes, spans = episodes + 1, spans + len(line["spans"])
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
    if not episodes:
        raise JoineryError("no episode has events under this recipe; run `joinery run` with it first")
    return Viewed(str(out), episodes, spans)


def _lines(workspace: Workspace, ledger: Ledger, view: View) -> Iterator[dict[str, Any]]:
    stage = [stage.name for stage in RIVER if Event in stage.writes][-1]
    done = dict(ledger.done_attempts(stage))
    rows = workspace.scan(EpisodeRef, columns=["episode_id", "source", "locator"]).read_all().to_pylist()
    listed = sorted((row["source"], row["locator"], row["episode_id"]) for row in rows if row["episode_id"] in done)
    for i in range(0, len(listed), CHUNK):
        chunk = listed[i : i + CHUNK]
        trees = workspace.read(Event, [done[episode] for _, _, episode in chunk])
        for source, locator, episode in chunk:
            seen = [asdict(span) for span in coarse_view(trees[done[episode]], view)]
            if seen:
                place = {"source": source, "locator": locator, "episode_id": episode}
                yield {**place, "view": view.value, "spans": seen}
