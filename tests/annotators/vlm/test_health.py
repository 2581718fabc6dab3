"""When an endpoint is asked again after a fault: rests that double, then one try, by a clock that is an argument."""

import pytest

from annotators.vlm.fault import Fault, Kind
from annotators.vlm.health import Health


def health() -> Health:
    return Health(concurrency=4, first_pause_s=1.0, longest_pause_s=5.0, checked=True)


def broken(after: float | None = None) -> Fault:
    return Fault(Kind.BROKEN, "HTTP 500", after)


def test_rests_double_up_to_the_longest() -> None:
    state, now, rests = health(), 0.0, []
    for _ in range(5):
        state.failed(broken(), asked_at=now, now=now)
        rests.append(state.rested_at - now)
        now = state.rested_at
    assert rests == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_tries_that_one_crash_ends_together_are_one_fault() -> None:
    state = health()
    for i in range(4):
        state.failed(broken(), asked_at=0.0, now=10.0 + i / 100)
    assert (state.faults, state.rested_at) == (1, 11.0)


def test_a_server_may_ask_for_a_longer_rest_but_not_for_a_shorter() -> None:
    state = health()
    state.failed(broken(after=60.0), asked_at=0.0, now=0.0)
    assert state.rested_at == 60.0
    state.failed(broken(after=0.1), asked_at=60.0, now=60.0)
    assert state.rested_at == 62.0


def test_after_a_rest_one_request_tries_and_an_answer_lets_the_others_follow() -> None:
    state = health()
    state.failed(broken(), asked_at=0.0, now=0.0)
    assert not state.has_room(0.9)
    assert state.has_room(1.0)
    state.in_flight = 1
    assert not state.has_room(1.0)
    state.checked = True
    state.answered()
    assert state.has_room(1.0)
    state.in_flight = 4
    assert not state.has_room(1.0)


@pytest.mark.parametrize(("kind", "stays"), [(Kind.BUSY, True), (Kind.BROKEN, False), (Kind.UNREACHABLE, False)])
def test_an_outage_makes_the_check_due_again_and_being_busy_does_not(kind: Kind, stays: bool) -> None:
    state = health()
    state.failed(Fault(kind, "x"), asked_at=0.0, now=0.0)
    assert state.checked is stays


def test_it_is_down_since_the_first_fault_without_an_answer() -> None:
    state = health()
    for now in (3.0, 5.0, 9.0):
        state.failed(broken(), asked_at=now, now=now)
    assert state.down_since == 3.0
    state.answered()
    assert state.down_since is None
