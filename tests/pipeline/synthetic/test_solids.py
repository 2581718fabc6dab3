"""What is drawn is where it is: pads as far apart as the opening says, hands at the end of arms."""

import numpy as np

from pipeline.synthetic.solids import Box, Manipulator, boxes_of, strokes_of
from pipeline.synthetic.trajectory import Variant, make_trajectory
from pipeline.synthetic.world import opening_m
from schemas.episode import Arm

TRAJECTORY = make_trajectory(0, {Arm.LEFT: (Variant.PLAIN,), Arm.RIGHT: (Variant.PUSH,)}, rate_hz=20)


def pads() -> list[Box]:
    """The two pads of the left gripper."""
    rest = len(TRAJECTORY.supports) + len(TRAJECTORY.items)
    return boxes_of(TRAJECTORY, Manipulator.ROBOT)[rest : rest + 2]


def test_pads_are_as_far_apart_as_the_opening_says() -> None:
    one, other = pads()
    gap = np.linalg.norm(one.centre - other.centre, axis=1) - one.size[0] / 2 - other.size[0] / 2
    assert np.allclose(gap, opening_m(TRAJECTORY.arms[0].true.opening), atol=1e-9)


def test_pads_touch_a_held_item_on_both_sides() -> None:
    one, other = pads()
    item = TRAJECTORY.items[0]
    held = TRAJECTORY.arms[0].true.opening == item.item.opening
    middle = (one.centre + other.centre)[held] / 2
    assert held.any()
    assert np.abs(middle[:, :2] - item.position[held, :2]).max() < 0.005


def test_only_a_robot_and_a_person_have_arms() -> None:
    assert len(strokes_of(TRAJECTORY, Manipulator.ROBOT)) == 2
    assert strokes_of(TRAJECTORY, Manipulator.HANDHELD) == []
    assert len(strokes_of(TRAJECTORY, Manipulator.HUMAN)) == 2 * (1 + 6)
    n_things = len(TRAJECTORY.supports) + len(TRAJECTORY.items)
    assert len(boxes_of(TRAJECTORY, Manipulator.HUMAN)) == n_things


def test_a_persons_thumb_and_forefinger_end_at_the_pads() -> None:
    strokes = strokes_of(TRAJECTORY, Manipulator.HUMAN)
    thumb, finger = strokes[2], strokes[3]
    motion = TRAJECTORY.arms[0].true
    across = np.einsum("ti,ti->t", finger.points[:, -1] - thumb.points[:, -1], motion.rotation[:, :, 0])
    assert np.allclose(across, opening_m(motion.opening) + 0.01, atol=1e-9)
