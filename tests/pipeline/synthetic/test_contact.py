"""The physics of one hand: what is held, what falls, what presses, what slides."""

import numpy as np

from pipeline.synthetic.contact import HandHistory, live_through
from pipeline.synthetic.script import CLOSED, FINE_HZ, OPEN, Choreographer
from pipeline.synthetic.world import Item, Support

CUBE = Item("cube", "red", (0.04, 0.04, 0.04), (0.45, 0.0, 0.02), 0.0)
PLATE = Support("plate", "blue", (0.45, 0.2), 0.06, 0.01)


def hand_at(point: tuple[float, float, float]) -> Choreographer:
    return Choreographer(np.random.default_rng(0), point, 0.0)


def lived(hand: Choreographer, *items: Item, tail_s: float = 0.3) -> HandHistory:
    end_s = hand.now_s + tail_s
    return live_through(hand.script(), items, (PLATE,), int(end_s * FINE_HZ))


def test_pads_stop_at_the_width_of_what_is_between_them() -> None:
    hand = hand_at(CUBE.start)
    hand.grip(0.2, 0.4, 0.4)
    history = lived(hand, CUBE)
    assert history.held[-1] == 0
    assert history.opening[-1] == CUBE.opening == 0.5
    touched = int(np.argmax(history.held >= 0))
    assert history.opening[touched - 1] > 0.5


def test_pads_close_on_nothing_beside_an_item() -> None:
    hand = hand_at((0.45, 0.06, 0.02))
    hand.grip(CLOSED, 0.4, 0.4)
    history = lived(hand, CUBE)
    assert not np.any(history.held >= 0)
    assert history.opening[-1] < 1e-9


def test_closed_fingers_that_come_down_on_an_item_do_not_hold_it() -> None:
    hand = hand_at((0.45, 0.0, 0.15))
    hand.grip(CLOSED, 0.3, 0.3)
    hand.move(CUBE.start, 0.5, 0.5)
    assert not np.any(lived(hand, CUBE).held >= 0)


def test_a_held_item_goes_where_the_hand_goes() -> None:
    hand = hand_at((0.452, -0.003, 0.02))
    hand.grip(0.2, 0.4, 0.4)
    hand.move((0.5, 0.1, 0.15), 0.8, 0.8)
    history = lived(hand, CUBE)
    offset = history.item_position[0][history.held == 0] - history.position[history.held == 0]
    assert np.allclose(offset, [-0.002, 0.003, 0.0], atol=1e-9)
    assert history.supported[np.argmax(history.held >= 0)]
    assert not history.supported[-1]


def test_what_is_let_go_in_the_air_falls_on_what_is_below() -> None:
    hand = hand_at(CUBE.start)
    hand.grip(0.2, 0.4, 0.4)
    hand.move((0.45, 0.2, 0.20), 0.8, 0.8)
    released_s = hand.now_s
    hand.grip(OPEN, 0.2, 0.2)
    history = lived(hand, CUBE, tail_s=0.6)
    assert history.item_position[0, -1, 2] == PLATE.height_m + 0.02
    falling = history.item_position[0, int(released_s * FINE_HZ) :, 2]
    assert np.all(np.diff(falling) <= 1e-12)
    drop_s = np.count_nonzero((falling < 0.1999) & (falling > 0.0301)) / FINE_HZ
    assert abs(drop_s - np.sqrt(2 * 0.17 / 9.81)) < 0.02


def test_a_support_stops_the_hand_that_presses_on_it() -> None:
    hand = hand_at(CUBE.start)
    hand.grip(0.2, 0.4, 0.4)
    hand.move((0.45, 0.2, 0.20), 0.8, 0.8)
    hand.move((0.45, 0.2, 0.028), 0.6, 0.6)
    history = lived(hand, CUBE)
    assert history.supported[-1]
    assert history.position[-1, 2] == PLATE.height_m + 0.02
    assert np.abs(np.diff(history.position, axis=0)).max() * FINE_HZ < 1.0


def test_closed_fingers_slide_an_item_and_open_ones_pass_it() -> None:
    for opening, moved in ((CLOSED, True), (OPEN, False)):
        hand = hand_at((0.36, 0.0, 0.02))
        hand.grip(opening, 0.2, 0.2)
        hand.move((0.50, 0.0, 0.02), 1.0, 1.0)
        history = lived(hand, CUBE)
        assert bool(np.any(history.pushing == 0)) is moved
        assert bool(history.item_position[0, -1, 0] > 0.52) is moved
