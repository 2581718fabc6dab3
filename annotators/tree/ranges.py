"""Which kept ranges can carry a tree: long enough for one event, and with actions where the episode has actions.

An event shorter than five frames, or without a control row in an episode that has control, breaks the tree's
invariants (`schemas.tree`). Such a range is left out with a finding, never stretched and never filled in.
"""

from collections.abc import Callable

import numpy as np

from pipeline.aligned import kept_frames
from schemas.array import Ints
from schemas.episode import ActionTrack, Alignment, Episode
from schemas.finding import Finding, Verdict
from schemas.time import MIN_EVENT_FRAMES, FrameClock

Fits = Callable[[int, int], bool]


def fits_event(clock: FrameClock, action_times_ns: Ints | None) -> Fits:
    """A test whether frames ``[first, last)`` can be one event. Growing a span never makes it fail."""
    rows_before = None
    if action_times_ns is not None:
        edges = np.append(clock.times_ns, clock.end_ns)
        rows_before = np.searchsorted(action_times_ns, edges, side="left")

    def fits(first: int, last: int) -> bool:
        if last - first < MIN_EVENT_FRAMES:
            return False
        return rows_before is None or bool(rows_before[last] > rows_before[first])

    return fits


def usable_ranges(alignment: Alignment, clock: FrameClock, actions: ActionTrack | None) -> list[tuple[int, int]]:
    """Half-open frame ranges the tree covers: the kept ranges that fit at least one event.

    ``actions`` are on the video clock (`pipeline.aligned.aligned_actions`); None for episodes without actions.
    """
    fits = fits_event(clock, None if actions is None else actions.times_ns)
    return [(first, last) for first, last in kept_frames(alignment, clock) if fits(first, last)]


def left_out(episode: Episode, alignment: Alignment, clock: FrameClock, actions: ActionTrack | None) -> list[Finding]:
    """One finding per kept range that cannot carry an event."""
    usable = set(usable_ranges(alignment, clock, actions))
    findings = []
    for first, last in kept_frames(alignment, clock):
        if (first, last) in usable:
            continue
        short = last - first < MIN_EVENT_FRAMES
        name = "range_too_short" if short else "range_without_actions"
        wanted = f"at least {MIN_EVENT_FRAMES} frames" if short else "at least one action row inside"
        findings.append(
            Finding(
                subject=episode.episode_id,
                source=episode.source,
                stage="segment",
                check=name,
                verdict=Verdict.TRIM,
                message=f"{episode.locator}: kept frames [{first}, {last}) carry no event, expected {wanted}; left out",
                value=float(last - first) if short else 0.0,
                threshold=float(MIN_EVENT_FRAMES) if short else 1.0,
                start_ns=clock.edge_ns(first),
                end_ns=clock.edge_ns(last),
            )
        )
    return findings
