"""Real recordings through the real readers, whole: what tests damage to see whether cleaning notices."""

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources.formats import discover, read
from schemas.episode import ActionTrack, Episode
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding
from schemas.recipe import IngestSpec
from schemas.recipe_formats.lerobot import LeRobotSource
from schemas.source import EpisodeRef
from tests.pipeline.made_up import make_episode

CARD = {"licence": "MIT"}
G1 = ("g1_pick_bottle_lerobot_v21", 14, 20)
GR1 = ("gr1_picknplace_lerobot_v20", 7, 29)
"""Folder, and the first of six finger joints of the left and the right hand."""


def lerobot_refs(folder: Path, **more: Any) -> tuple[LeRobotSource, list[EpisodeRef]]:
    stated = {"format": "lerobot", "name": "real", "path": str(folder), "card": CARD, **more}
    spec = LeRobotSource.model_validate(stated)
    found = discover(spec, SourceFiles(str(folder)), MemoryDigests())
    return spec, [ref for ref in found if isinstance(ref, EpisodeRef)]


@cache
def jointed_episodes(real: Path, dataset: tuple[str, int, int]) -> list[tuple[Episode, ActionTrack]]:
    """The five episodes that are there of `G1` or `GR1`, by id and their numbers only: nothing is decoded."""
    folder = real / "open_robot" / dataset[0]
    hands = zip(("left", "right"), dataset[1:], strict=True)
    state = [
        {"arm": arm, "fingers": {"column": "observation.state", "start": start, "stop": start + 6}}
        for arm, start in hands
    ]
    _, refs = lerobot_refs(folder, state=state)
    found = []
    for ref in sorted(refs, key=lambda ref: ref.episode_id):
        actions = read(ref, SourceFiles(str(folder))).actions
        assert actions is not None
        found.append((dataclasses.replace(make_episode(episode_id=ref.episode_id), locator=ref.locator), actions))
    return found


@dataclasses.dataclass(frozen=True)
class Recording:
    """One ingested episode."""

    episode: Episode
    actions: ActionTrack
    strips: list[Filmstrip]
    findings: list[Finding]


@cache
def droid_episode(real: Path) -> Recording:
    """The DROID episode: 48 s at 15 frames/s, a measured tool pose and a commanded gripper."""
    folder = real / "open_robot" / "droid_slice_lerobot_v30"
    column = "observation.state.cartesian_position"
    opening = {"column": "action.gripper_position", "closed": 1.0, "open": 0.0}
    state = [
        {
            "arm": "right",
            "position": {"column": column, "start": 0, "stop": 3},
            "rotation": {"column": column, "start": 3, "stop": 6, "encoding": "euler_xyz"},
            "opening": opening,
        }
    ]
    _, (ref,) = lerobot_refs(folder, state=state)
    return ingested(ref, folder)


def ingested(ref: EpisodeRef, folder: Path) -> Recording:
    """A reference through ingest."""
    records = list(ingest(ref, SourceFiles(str(folder)), IngestSpec()))
    (episode,) = (record for record in records if isinstance(record, Episode))
    (actions,) = (record for record in records if isinstance(record, ActionTrack))
    strips = [record for record in records if isinstance(record, Filmstrip)]
    return Recording(episode, actions, strips, [record for record in records if isinstance(record, Finding)])
