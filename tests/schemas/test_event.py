"""Who an event is, and what its parts say about it."""

import numpy as np
import pytest

from schemas.event import Level, Verb, make_event_id
from schemas.time import FrameClock
from tests.schemas.test_tree import event

CLOCK = FrameClock(np.arange(60, dtype=np.int64) * 100, 6000)


@pytest.mark.parametrize("level", list(Level))
def test_an_event_is_who_it_is_by_episode_level_frames_and_revision(level: Level) -> None:
    span = CLOCK.span(0, 20, None)
    own = make_event_id("ep-1", level, span, 1)
    others = [
        make_event_id("ep-2", level, span, 1),
        make_event_id("ep-1", level, CLOCK.span(0, 21, None), 1),
        make_event_id("ep-1", level, span, 2),
        *(make_event_id("ep-1", other, span, 1) for other in Level if other is not level),
    ]
    assert own not in others
    assert own == make_event_id("ep-1", level, span, 1)


def test_levels_nest_from_the_task_down() -> None:
    assert [level.depth for level in (Level.TASK, Level.SUBTASK, Level.ACTION, Level.SEGMENT)] == [0, 1, 2, 3]


def test_an_event_is_as_sure_as_its_weaker_edge() -> None:
    whole = event(Level.TASK, 0, 20)
    assert whole.confidence == min(whole.start.confidence, whole.end.confidence)


def test_the_vocabulary_is_closed_by_other() -> None:
    """Appending a verb is fine; the last one stays the way out."""
    assert list(Verb)[-1] is Verb.OTHER
    assert len(set(Verb)) == len(list(Verb))
