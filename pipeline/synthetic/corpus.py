"""Making the demo corpus: seven sources on disk, one of each kind, and ``truth.json`` beside them.

    OUT/teleop  open_robot  recovery  umi  self_collected      LeRobot v2.1, v3.0, v2.0, v2.1, v2.1
    OUT/internet  egocentric                                    folders of mp4
    OUT/truth.json  OUT/made-with.json

A corpus is a function of its parameters, to the byte. It is made beside its place and moved there when complete, so
that what stands at OUT is whole; ``made-with.json`` says what it was made with, and an equal request re-uses it.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2

from pipeline.errors import SourceError
from pipeline.synthetic.catalogue import ROBOT_SOURCES, VIDEO_SOURCES, WILD, RobotSource
from pipeline.synthetic.defects import damage_files, damage_recording
from pipeline.synthetic.lerobot_writer import RecordedEpisode, write_dataset
from pipeline.synthetic.truth_file import edited_truth, egocentric_truth, robot_truth, write_truth
from pipeline.synthetic.video_folder import write_video
from pipeline.synthetic.wild import EGO_HZ, INTERNET_HZ, cut_frames, edited_clip, egocentric, play
from schemas.truth import TruthEpisode

GENERATOR = 1
"""Goes up whenever the same parameters would give other bytes."""
STAMP = "made-with.json"
TRUTH = "truth.json"


@dataclass(frozen=True)
class CorpusParameters:
    """What a corpus is made from."""

    episodes_per_source: int = 7
    seed: int = 0
    with_defects: bool = False
    """One more episode per LeRobot source, each broken in another way (`Defect`)."""

    @property
    def stamp(self) -> dict[str, Any]:
        return {"generator": GENERATOR, **asdict(self)}


def make_corpus(out: Path, parameters: CorpusParameters) -> bool:
    """Make the corpus at ``out``; False when it is already there with these parameters.

    Raises SourceError when ``out`` holds anything that this function did not make, and ValueError for fewer than
    one episode per source.
    """
    if parameters.episodes_per_source < 1:
        raise ValueError(f"episodes_per_source: found {parameters.episodes_per_source}, expected at least 1")
    if _is_there(out, parameters):
        return False
    building = out.with_name(out.name + ".partial")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    cv2.setNumThreads(1)
    truths = [truth for number in range(len(ROBOT_SOURCES)) for truth in _robot_source(building, parameters, number)]
    truths += [*_internet(building, parameters), *_egocentric(building, parameters)]
    kinds = {source.name: source.kind.value for source in (*ROBOT_SOURCES, *VIDEO_SOURCES)}
    write_truth(building / TRUTH, parameters.stamp, kinds, truths)
    (building / STAMP).write_text(json.dumps(parameters.stamp, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    building.replace(out)
    return True


def _is_there(out: Path, parameters: CorpusParameters) -> bool:
    if not out.exists() or not any(out.iterdir()):
        return False
    stamp = out / STAMP
    if not stamp.is_file():
        raise SourceError(
            f"{out}: the folder is not empty and has no {STAMP}, so it was not made here; "
            "name another folder, or remove this one yourself"
        )
    return bool(json.loads(stamp.read_text(encoding="utf-8")) == parameters.stamp)


def _count(parameters: CorpusParameters, share: float) -> int:
    return math.ceil(parameters.episodes_per_source * share)


def _robot_source(root: Path, parameters: CorpusParameters, number: int) -> list[TruthEpisode]:
    """One LeRobot dataset; with defects its last episode is the broken one."""
    source = ROBOT_SOURCES[number]
    seed = (parameters.seed, number)
    n_sound = _count(parameters, source.share)
    truths: list[TruthEpisode] = []
    n_episodes = n_sound + parameters.with_defects
    folder = root / source.name
    write_dataset(folder, source.dataset(), _recordings(source, seed, n_sound, n_episodes, truths))
    if parameters.with_defects:
        damage_files(folder, n_sound, source.defect)
    return truths


def _recordings(
    source: RobotSource, seed: tuple[int, ...], n_sound: int, n_episodes: int, truths: list[TruthEpisode]
) -> Iterator[RecordedEpisode]:
    """The episodes to write, one at a time; appends each one's truth to ``truths``."""
    for index in range(n_episodes):
        defect = source.defect if index >= n_sound else None
        trajectory = source.trajectory(seed, index)
        truths.append(robot_truth(source.name, index, trajectory, defect))
        yield damage_recording(source.recorded(trajectory, seed, index), defect, source.fps)


def _internet(root: Path, parameters: CorpusParameters) -> Iterator[TruthEpisode]:
    source = VIDEO_SOURCES[0]
    for index in range(_count(parameters, source.share)):
        shots = edited_clip((parameters.seed, 100, index), WILD)
        name = f"clip_{index:03d}.mp4"
        n_frames = write_video(root / source.name, name, play(shots), WILD, INTERNET_HZ)
        yield edited_truth(source.name, name, n_frames, cut_frames(shots), INTERNET_HZ)


def _egocentric(root: Path, parameters: CorpusParameters) -> Iterator[TruthEpisode]:
    source = VIDEO_SOURCES[1]
    for index in range(_count(parameters, source.share)):
        trajectory, pictures = egocentric((parameters.seed, 200, index), index, WILD)
        name = f"head_{index:03d}.mp4"
        write_video(root / source.name, name, pictures, WILD, EGO_HZ)
        yield egocentric_truth(source.name, name, trajectory)
