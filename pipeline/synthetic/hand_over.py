"""Two hands and one item: one takes it, the other takes it over in the air, and puts it down or gives it back.

The hardest thing two arms do for a detector: the giver's release has no support under it and looks like a loss, but
another hand has the item. Truth comes from the same contact physics as everywhere; the script only says where both
meet and when each closes and opens.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.synthetic.contact import live_together
from pipeline.synthetic.script import FINE_HZ, OPEN, Choreographer, grasp_at, put_down
from pipeline.synthetic.trajectory import HOMES, REGIONS, Noise, Plan, Trajectory, frames_of, recorded
from pipeline.synthetic.world import Item, Point, Support, furnish
from schemas.episode import Arm

_MEETING: Point = (0.42, 0.0, 0.20)
_BESIDE_M = 0.014
"""How far beside the giver's tool the taker's is: both pads of both hands touch the item."""


def make_hand_over(
    seed: int | Sequence[int],
    giver: Arm = Arm.LEFT,
    *,
    rate_hz: int = 30,
    noise: Noise | None = None,
    given_back: bool = False,
) -> Trajectory:
    """An episode in which ``giver`` picks an item and the other arm takes it over and places it in its own region.

    With ``given_back`` the giver only lets go for a moment, grasps the item again while the other hand holds it, and
    places it itself: a release and a new grasp on the spot, and nothing slipped.
    """
    noise = Noise() if noise is None else noise
    rng = np.random.default_rng(seed)
    taker = Arm.RIGHT if giver is Arm.LEFT else Arm.LEFT
    (item,), (at_giver,) = furnish(rng, REGIONS[giver], 1)
    _, (at_taker,) = furnish(rng, REGIONS[taker], 1)
    gives, takes = (Choreographer(rng, HOMES[arm], 0.1) for arm in (giver, taker))
    goal = at_giver if given_back else at_taker
    _exchange(gives, takes, item)
    (_take_back if given_back else _keep)(gives, takes, item, goal)
    plans = tuple(
        Plan(arm, (), (item,), (goal,), hand.script()) for arm, hand in sorted([(giver, gives), (taker, takes)])
    )
    scripts = tuple(plan.script for plan in plans)
    hands = live_together(scripts, (item,), (goal,), frames_of(plans, rate_hz) * (FINE_HZ // rate_hz))
    x, y, _ = hands[0].item_position[0, -1]
    on_goal = abs(x - goal.centre[0]) < goal.half_m and abs(y - goal.centre[1]) < goal.half_m
    words = f"hand the {item.label} over and put it on the {goal.label}"
    return recorded(rng, plans, hands, rate_hz=rate_hz, noise=noise, instruction=words, success=bool(on_goal))


def _exchange(gives: Choreographer, takes: Choreographer, item: Item) -> None:
    """The giver brings the item to the meeting point; the taker comes and closes on it."""
    gives.approaches_s.append(gives.now_s)
    grasp_at(gives, item, item.start, item.yaw)
    gives.move(gives.above(gives.between(0.10, 0.14)), 0.6, 0.9)
    x, y, _ = _MEETING
    gives.move((x + gives.between(-0.02, 0.02), y, gives.position[2]), 0.9, 1.3, overlap=gives.between(0.1, 0.3))
    setting_out = gives.now_s - takes.between(0.4, 1.2)
    takes.now_s = max(takes.now_s, setting_out)
    takes.approaches_s.append(takes.now_s)
    meeting = (gives.position[0] + _BESIDE_M, gives.position[1], gives.position[2])
    takes.move((meeting[0] + 0.09, *meeting[1:]), 0.8, 1.2, yaw=gives.yaw)
    takes.now_s = max(takes.now_s, gives.now_s + 0.05)
    takes.move(meeting, 0.5, 0.7)
    takes.wait(0.03, 0.2)
    takes.grip(max(0.0, item.opening - 0.15), 0.3, 0.6)
    takes.wait(0.15, 0.4)
    gives.now_s = takes.now_s


def _keep(gives: Choreographer, takes: Choreographer, item: Item, goal: Support) -> None:
    gives.grip(OPEN, 0.25, 0.45)
    gives.wait(0.03, 0.12)
    gives.move((gives.position[0] - 0.09, *gives.position[1:]), 0.6, 0.9)
    takes.now_s = gives.now_s - takes.between(0.0, 0.4)
    takes.move(takes.above(takes.between(0.05, 0.08)), 0.5, 0.8)
    takes.move((*goal.centre, takes.position[2]), 0.9, 1.4, overlap=takes.between(0.1, 0.3))
    put_down(takes, item, goal)


def _take_back(gives: Choreographer, takes: Choreographer, item: Item, goal: Support) -> None:
    gives.grip(OPEN, 0.25, 0.45)
    gives.wait(0.2, 0.5)
    gives.grip(max(0.0, item.opening - 0.15), 0.3, 0.6)
    gives.wait(0.15, 0.4)
    takes.now_s = gives.now_s
    takes.grip(OPEN, 0.25, 0.45)
    takes.wait(0.03, 0.12)
    takes.move((takes.position[0] + 0.09, *takes.position[1:]), 0.6, 0.9)
    gives.now_s = takes.now_s - gives.between(0.0, 0.3)
    gives.move(gives.above(gives.between(0.05, 0.08)), 0.5, 0.8)
    gives.move((*goal.centre, gives.position[2]), 0.9, 1.4, overlap=gives.between(0.1, 0.3))
    put_down(gives, item, goal)
