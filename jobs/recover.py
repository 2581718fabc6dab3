"""``joinery recover plan``: a collection plan from a run's contact events.

Beside the river: it reads what stages have committed and writes a folder. The folder is all that `jobs.rollout`, or a
person at a robot, needs.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pipeline.aligned import aligned_actions
from pipeline.errors import JoineryError
from pipeline.ledger import Ledger
from pipeline.recovery.demonstration import Demonstration, to_npz
from pipeline.recovery.folder import write
from pipeline.recovery.page import plan_page
from pipeline.recovery.plan import collection_plan, planned_event
from pipeline.store import Workspace, one_of
from schemas.episode import ActionTrack, Alignment, Episode
from schemas.event import Event, Level
from schemas.filmstrip import Thumbnail
from schemas.identity import digest
from schemas.recipe import Recipe
from schemas.recovery_plan import PAGE, PLAN, SCENES, CollectionPlan, ParentSource, PlannedEvent
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S

CHUNK = 64
R = TypeVar("R")


def make_recovery_plan(workspace: Workspace, ledger: Ledger, recipe: Recipe, out: Path) -> CollectionPlan:
    """Write the collection plan of a run into a folder. Raises JoineryError when the run has no events yet."""
    chosen, n_contacts = _chosen_contacts(workspace, ledger, recipe)
    planned = []
    for event, demonstration, picture in _planned(workspace, ledger, recipe, chosen):
        if demonstration is not None:
            write(out / event.demonstration, to_npz(demonstration))
        if picture:
            write(out / event.picture, picture)
        planned.append(event)
    planned.sort(key=lambda event: (event.source, event.scene.locator, event.contact_ns, event.event_id))
    named = {event.source for event in planned}
    sources = [
        ParentSource(name=source.name, kind=source.kind, protocol=source.protocol, card=source.card)
        for source in recipe.sources
        if source.name in named
    ]
    plan = collection_plan(recipe.recover, sources, planned, n_contacts)
    write(out / PAGE, plan_page(plan).encode())
    write(out / PLAN, (plan.model_dump_json(indent=1) + "\n").encode())  # last: a plan that is there is whole
    return plan


def _chosen_contacts(workspace: Workspace, ledger: Ledger, recipe: Recipe) -> tuple[dict[str, list[Event]], int]:
    """Contact events by episode, and how many there are; of too many those whose hash is smallest, a fixed sample."""
    done = ledger.done_attempts("caption")
    if not done:
        raise JoineryError("no episode of this recipe has events yet; run `joinery run` with it first")
    verbs = ", ".join(f"'{verb}'" for verb in recipe.recover.verbs)
    where = f"level = '{Level.ACTION}' AND verb IN ({verbs})"
    attempts = [attempt for _, attempt in done]
    kept: list[tuple[int, str, Event]] = []
    count = 0
    for i in range(0, len(attempts), CHUNK):
        for rows in workspace.read(Event, attempts[i : i + CHUNK], where).values():
            for event in rows:
                count += 1
                item = (-int(digest("recovery sample", event.event_id)[:16], 16), event.event_id, event)
                if len(kept) < recipe.recover.max_events:
                    heapq.heappush(kept, item)
                else:
                    heapq.heappushpop(kept, item)
    by_episode: dict[str, list[Event]] = defaultdict(list)
    for _, _, event in kept:
        by_episode[event.episode_id].append(event)
    return by_episode, count


def _planned(
    workspace: Workspace, ledger: Ledger, recipe: Recipe, chosen: Mapping[str, Sequence[Event]]
) -> Iterator[tuple[PlannedEvent, Demonstration | None, bytes]]:
    """Each contact planned, with what follows it and a picture of it, episode by episode."""
    done = {stage: dict(ledger.done_attempts(stage)) for stage in ("ingest", "align")}
    for episode_id in sorted(chosen):
        ingested, aligned = [done["ingest"][episode_id]], [done["align"][episode_id]]
        (episode,) = _rows(workspace, Episode, ingested)
        (alignment,) = _rows(workspace, Alignment, aligned)
        ref = workspace.rows(EpisodeRef, one_of("episode_id", [episode_id]))[0]
        recorded = _rows(workspace, ActionTrack, ingested)
        actions = aligned_actions(recorded[0] if recorded else None, alignment)
        for event in chosen[episode_id]:
            planned, demonstration = planned_event(event, episode, ref, actions, recipe.recover)
            jpeg = b"" if planned.problem else _picture(workspace, ingested, episode, planned.scene_ns)
            if jpeg:
                planned = planned.model_copy(update={"picture": f"{SCENES}/{event.event_id}.jpg"})
            yield planned, demonstration, jpeg


def _picture(workspace: Workspace, ingested: Sequence[str], episode: Episode, t_ns: int) -> bytes:
    """The thumbnail of the master view that is nearest in time; empty without one."""
    near = f"{one_of('camera', [episode.master.name])} AND t_ns >= {t_ns - NS_PER_S} AND t_ns <= {t_ns + NS_PER_S}"
    thumbnails = [row for rows in workspace.read(Thumbnail, ingested, near).values() for row in rows]
    return min(thumbnails, key=lambda row: abs(row.t_ns - t_ns)).jpeg if thumbnails else b""


def _rows(workspace: Workspace, record: type[R], attempts: Sequence[str]) -> list[R]:
    return [row for rows in workspace.read(record, attempts).values() for row in rows]
