"""Where steps come from; plans are tested in `tests/trainer/test_run.py`, on real shards."""

import pytest

from tests.trainer.events import example
from trainer.steps import OneEvent


def test_one_event_fills_a_pack_and_every_copy_is_a_draw_of_its_own() -> None:
    event = example()
    steps = OneEvent(event, 3 * event.n_tokens + 1, n_steps=3)
    with steps.read(1, 0, 1) as read:
        draws = [pack.draws for step in read for pack in step.packs]
    assert draws == [(3, 4, 5), (6, 7, 8)]


def test_one_event_is_no_work_for_several_ranks() -> None:
    with pytest.raises(ValueError, match="found rank 1 of 2"), OneEvent(example(), 100, 1).read(0, 1, 2):
        pass
