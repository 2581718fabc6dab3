"""A base that drives: cuts at its edges, a move of no arm, and contacts it does not touch."""

import dataclasses

import numpy as np
import pytest

from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.array import Floats
from schemas.episode import ActionTrack, Arm
from schemas.event import BoundaryKind, Event, Level, Verb
from schemas.time import NS_PER_S
from schemas.truth import PHYSICAL_KINDS
from tests.annotators.recordings import Recording, boundaries, make_episode, synthetic

FPS = 30
DRIVE_S = 4.0
NAMES = ("base.linear.vel", "base.angular.vel")


def still_rows(values: Floats, row: int, count: int, width: int) -> Floats:
    """``values`` with one row repeated ``count`` times more: an arm that rests while the clock runs on."""
    rows = values.reshape(-1, width)
    longer = np.concatenate([rows[:row], np.repeat(rows[row : row + 1], count, axis=0), rows[row:]])
    return longer[:, 0] if values.ndim == 1 else longer


def driven(at_s: float, seed: int = 1, speed: float = 0.4, drive_s: float = DRIVE_S) -> tuple[Recording, Recording]:
    """A pick and place, and the same with the arm held still at ``at_s`` while the base drives for ``drive_s``."""
    plain = synthetic(make_trajectory(seed, {Arm.RIGHT: (Variant.PLAIN,)}))
    row, count = round(at_s * FPS), round(drive_s * FPS)
    (arm,) = plain.actions.state
    assert arm.position is not None
    assert arm.rotation is not None
    assert arm.opening is not None
    held = dataclasses.replace(
        arm,
        position=still_rows(arm.position, row, count, 3),
        rotation=still_rows(arm.rotation, row, count, 6),
        opening=still_rows(arm.opening, row, count, 1),
    )
    n = plain.actions.n_rows + count
    times = np.round(np.arange(n) * NS_PER_S / FPS).astype(np.int64)
    base = np.zeros((n, 2), np.float32)
    base[row : row + count, 0] = speed
    actions = ActionTrack(
        plain.actions.episode_id,
        plain.actions.kind,
        "test",
        times,
        np.ones(n, np.bool_),
        (held,),
        (),
        NAMES,
        None,
        base.reshape(-1),
    )
    return plain, Recording(make_episode(times, int(times[-1]) + NS_PER_S // FPS), actions, plain.calibration)


def actions_of(recording: Recording) -> list[Event]:
    return [event for event in recording.tree() if event.level is Level.ACTION]


def middle_of(plain: Recording, first: BoundaryKind, last: BoundaryKind) -> float:
    times = dict(boundaries(plain.tree()))
    return (times[first] + times[last]) / 2


CARRYING = (BoundaryKind.TRANSPORT, BoundaryKind.SUPPORT)


def test_pure_driving_is_a_move_of_no_arm_between_its_own_cuts() -> None:
    at = middle_of(driven(1.0)[0], *CARRYING)
    _, recording = driven(at)
    (drive,) = [event for event in actions_of(recording) if event.arm is None]
    assert drive.verb is Verb.MOVE
    assert drive.start.t_ns / NS_PER_S == pytest.approx(at, abs=0.1)
    assert drive.end.t_ns / NS_PER_S == pytest.approx(at + DRIVE_S, abs=0.1)
    assert {*drive.start.detectors, *drive.end.detectors} >= {"base_start", "base_end"}
    assert drive.static_fraction < 0.1  # the arms rest, the robot does not


@pytest.mark.parametrize(
    "at", [CARRYING, (BoundaryKind.RELEASE, BoundaryKind.RETREAT), (BoundaryKind.GRASP, BoundaryKind.LIFT)]
)
def test_driving_adds_no_contact_and_takes_none(at: tuple[BoundaryKind, BoundaryKind]) -> None:
    plain, recording = driven(middle_of(driven(1.0)[0], *at))
    before = [kind for kind, _ in boundaries(plain.tree()) if kind in PHYSICAL_KINDS]
    assert [kind for kind, _ in boundaries(recording.tree()) if kind in PHYSICAL_KINDS] == before


def test_driving_with_the_object_in_hand_stays_one_object_goal() -> None:
    plain, recording = driven(middle_of(driven(1.0)[0], *CARRYING))

    def subtasks(one: Recording) -> list[tuple[Verb, Arm | None]]:
        return [(event.verb, event.arm) for event in one.tree() if event.level in (Level.TASK, Level.SUBTASK)]

    assert subtasks(recording) == subtasks(plain)


def test_an_arm_that_works_while_the_base_drives_is_still_the_one_that_acts() -> None:
    plain, _ = driven(1.0)
    base = np.tile(np.float32([0.4, 0.0]), (plain.actions.n_rows, 1)).reshape(-1)
    moving = dataclasses.replace(plain.actions, joint_names=NAMES, joint_target=base)
    done = [(event.verb, event.arm) for event in actions_of(dataclasses.replace(plain, actions=moving))]
    assert done == [(event.verb, event.arm) for event in actions_of(plain)]


@pytest.mark.parametrize(("speed", "drive_s"), [(0.01, DRIVE_S), (0.4, 0.3)])
def test_creeping_and_twitching_is_no_driving(speed: float, drive_s: float) -> None:
    _, recording = driven(middle_of(driven(1.0)[0], *CARRYING), speed=speed, drive_s=drive_s)
    detectors = {name for event in recording.tree() for name in event.start.detectors}
    assert not {"base_start", "base_end"} & detectors
