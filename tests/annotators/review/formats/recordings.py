"""A recording at 25 pictures a second, one of a clock that dropped pictures, and events of both."""

import numpy as np
from hypothesis import strategies as st

from annotators.review.formats.row import Recording, Row
from schemas.episode import Arm
from schemas.event import Level, ReviewState, Verb
from schemas.time import FrameClock

EVEN = Recording("ep-1", "film.mp4", FrameClock(np.arange(40, dtype=np.int64) * 40_000_000, 1_600_000_000))
FIRST_FIVE = Row(Level.ACTION, 0, 5, "Pour the tea", Verb.POUR, ("tea", "red cup"), Arm.LEFT, ReviewState.EDITED)
REST = Row(Level.ACTION, 5, 40, "Wipe", Verb.WIPE)

_TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=12).map(str.strip)
_NAME = st.text("abcdefgé ", min_size=1, max_size=8).map(str.strip).filter(bool)


@st.composite
def clocks(draw: st.DrawFn) -> FrameClock:
    """Uneven ones too: 2 ms to 0.3 s from picture to picture, at any nanosecond."""
    gaps = draw(st.lists(st.integers(2_000_001, 300_000_000), min_size=24, max_size=40))
    times = np.cumsum([0, *gaps[:-1]]).astype(np.int64)
    return FrameClock(times, int(times[-1]) + gaps[-1])


@st.composite
def annotated(draw: st.DrawFn) -> tuple[Recording, list[Row]]:
    """A recording and events of every level, with holes between them."""
    clock = draw(clocks())
    rows = []
    for level in Level:
        at = draw(st.integers(0, 5))
        while at + 5 <= len(clock) and draw(st.booleans()):
            end = draw(st.integers(at + 5, len(clock)))
            objects = tuple(draw(st.lists(_NAME, max_size=2)))
            arm = draw(st.sampled_from([None, *Arm]))
            verb, state = draw(st.sampled_from(Verb)), draw(st.sampled_from(ReviewState))
            rows.append(Row(level, at, end, draw(_TEXT), verb, objects, arm, state))
            at = end + draw(st.integers(0, 3))
    return Recording("ep-1", "film.mp4", clock), rows
