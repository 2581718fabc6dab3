"""Videos without actions: a person's own view of their hands, and an edited clip with hard cuts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from pipeline.synthetic.scene import Look, Picture, render
from pipeline.synthetic.solids import Colour, Manipulator
from pipeline.synthetic.trajectory import Noise, Trajectory, Variant, make_trajectory
from pipeline.synthetic.view import PictureSize, View, head, orbit
from schemas.episode import Arm

_TABLES: tuple[Colour, ...] = ((196, 186, 170), (72, 58, 50), (188, 196, 204), (54, 66, 62))
"""Bright and dark in turn: a cut between neighbours changes the picture by more than lighting ever does."""
_EGO_TASKS = (
    {Arm.LEFT: (Variant.PLAIN,), Arm.RIGHT: (Variant.PAUSE,)},
    {Arm.RIGHT: (Variant.PLAIN, Variant.PUSH)},
    {Arm.LEFT: (Variant.PLAIN,), Arm.RIGHT: (Variant.SLIP,)},
)
EGO_HZ = 30
INTERNET_HZ = 24


def egocentric(seed: tuple[int, ...], index: int, size: PictureSize) -> tuple[Trajectory, Iterator[Picture]]:
    """What a head-mounted camera sees of two hands at work, and what the hands did."""
    tasks = _EGO_TASKS[index % len(_EGO_TASKS)]
    trajectory = make_trajectory([*seed, 0], tasks, rate_hz=EGO_HZ, pace=0.75, noise=Noise(tremor_m=0.0005))
    rng = np.random.default_rng([*seed, 1])
    view = head(rng, size, trajectory.n_frames, EGO_HZ)
    table = tuple(int(value * rng.uniform(0.85, 1.1)) for value in (160, 140, 118))
    look = Look(Manipulator.HUMAN, (table[0], table[1], table[2]), seed=seed[-1])
    return trajectory, render(trajectory, view, look)


@dataclass(frozen=True, eq=False)
class Shot:
    """A stretch of one scene from one camera."""

    trajectory: Trajectory
    view: View
    look: Look
    frames: range


def edited_clip(seed: tuple[int, ...], size: PictureSize) -> list[Shot]:
    """Three to five shots of 1.8–3.6 s; every one another scene, another camera, another light."""
    rng = np.random.default_rng([*seed, 2])
    people = (Manipulator.HUMAN, Manipulator.ROBOT, Manipulator.HANDHELD)
    shots = []
    for number in range(int(rng.integers(3, 6))):
        variant = (Variant.PLAIN, Variant.PUSH, Variant.PAUSE)[int(rng.integers(3))]
        arm = (Arm.LEFT, Arm.RIGHT)[int(rng.integers(2))]
        trajectory = make_trajectory([*seed, 3, number], {arm: (variant,)}, rate_hz=INTERNET_HZ, pace=0.9)
        view = orbit(rng, size, trajectory.n_frames, INTERNET_HZ)
        length = int(rng.uniform(1.8, 3.6) * INTERNET_HZ)
        start = int(rng.integers(INTERNET_HZ, trajectory.n_frames - length))
        look = Look(people[int(rng.integers(3))], _TABLES[number % len(_TABLES)], seed=number)
        shots.append(Shot(trajectory, view, look, range(start, start + length)))
    return shots


def play(shots: list[Shot]) -> Iterator[Picture]:
    """The shots one after the other."""
    for shot in shots:
        yield from render(shot.trajectory, shot.view, shot.look, shot.frames)


def cut_frames(shots: list[Shot]) -> list[int]:
    """First frame of every shot but the first."""
    return list(accumulate(len(shot.frames) for shot in shots[:-1]))
