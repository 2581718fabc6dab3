"""The one way to say a time or an interval: int64 nanoseconds since episode start, half-open spans.

Floats never hold a timestamp: two recordings of the same instant must compare equal. Frame *i* shows
during ``[t_i, t_{i+1})``; the last frame ends at ``end_ns``. A `Span` stores the same interval in
master-view frames, nanoseconds and action rows, so that video, caption and control can never drift.
"""

from dataclasses import dataclass

import numpy as np

from schemas.array import Ints

NS_PER_S = 1_000_000_000

MIN_EVENT_FRAMES = 5
"""No event is shorter (wall_wm.md §2.4: a sister project of the same company, minimum 5 frames)."""


@dataclass(frozen=True, order=True)
class Span:
    """A half-open interval, stored three ways: frames of the master view, nanoseconds, action rows."""

    frame_start: int
    frame_end: int
    start_ns: int
    end_ns: int
    action_start: int
    action_end: int

    @property
    def n_frames(self) -> int:
        return self.frame_end - self.frame_start

    @property
    def n_actions(self) -> int:
        return self.action_end - self.action_start

    @property
    def duration_s(self) -> float:
        return (self.end_ns - self.start_ns) / NS_PER_S

    def contains(self, other: "Span") -> bool:
        return self.frame_start <= other.frame_start and other.frame_end <= self.frame_end


@dataclass(frozen=True, eq=False)
class FrameClock:
    """When each frame of one view appears: ``times_ns`` int64 [N], strictly increasing, and the last frame's end."""

    times_ns: Ints
    end_ns: int

    def __post_init__(self) -> None:
        if len(self.times_ns) and (np.any(np.diff(self.times_ns) <= 0) or self.end_ns <= int(self.times_ns[-1])):
            raise ValueError("frame times must increase strictly and end after the last frame")

    def __len__(self) -> int:
        return len(self.times_ns)

    def edge_ns(self, frame: int) -> int:
        """When frame ``frame`` starts; ``edge_ns(len(clock))`` is the end of the last frame."""
        if not 0 <= frame <= len(self.times_ns):
            raise IndexError(f"frame {frame}: expected 0 to {len(self.times_ns)}")
        return self.end_ns if frame == len(self.times_ns) else int(self.times_ns[frame])

    def frame_at(self, t_ns: int) -> int:
        """The frame on screen at ``t_ns``, clamped to the recording."""
        return int(np.clip(np.searchsorted(self.times_ns, t_ns, side="right") - 1, 0, len(self.times_ns) - 1))

    def nearest_edge(self, t_ns: int) -> int:
        """The frame whose start lies nearest to ``t_ns``; ``len(clock)`` means the end of the recording."""
        edges = np.append(self.times_ns, self.end_ns)
        return int(np.argmin(np.abs(edges - t_ns)))

    def frames_within(self, start_ns: int, end_ns: int) -> tuple[int, int]:
        """Half-open range of the frames that *start* inside ``[start_ns, end_ns)``."""
        first, last = np.searchsorted(self.times_ns, [start_ns, end_ns], side="left")
        return int(first), int(last)

    def span(self, frame_start: int, frame_end: int, action_times_ns: Ints | None) -> Span:
        """The span of frames ``[frame_start, frame_end)`` with the action rows stamped inside it (none: 0, 0)."""
        start_ns, end_ns = self.edge_ns(frame_start), self.edge_ns(frame_end)
        rows = (0, 0) if action_times_ns is None else np.searchsorted(action_times_ns, [start_ns, end_ns], side="left")
        return Span(frame_start, frame_end, start_ns, end_ns, int(rows[0]), int(rows[1]))
