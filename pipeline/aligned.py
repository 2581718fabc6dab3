"""Reading an episode through its alignment: the only way downstream stages see actions and kept parts.

The recording itself is never edited; undoing a cleaning decision is changing one `Alignment`.
"""

import dataclasses

import numpy as np

from schemas.episode import ActionTrack, Alignment
from schemas.time import FrameClock


def aligned_actions(actions: ActionTrack | None, alignment: Alignment) -> ActionTrack | None:
    """The action track on the video clock: every time moved by ``alignment.offset_ns``."""
    if actions is None or alignment.offset_ns == 0:
        return actions
    return dataclasses.replace(actions, times_ns=actions.times_ns + np.int64(alignment.offset_ns))


def kept_frames(alignment: Alignment, clock: FrameClock) -> list[tuple[int, int]]:
    """Half-open frame ranges of the master view whose frames start inside the kept ranges; empty ones are left out."""
    ranges = [clock.frames_within(kept.start_ns, kept.end_ns) for kept in alignment.kept]
    return [(first, last) for first, last in ranges if last > first]
