"""DROID's clocks: when every frame was captured and every row read, in milliseconds of the recording computer.

The control loop reads the robot, then the cameras, then sleeps until its next step; it aims at 15 Hz and is late at
times. Frame i of every view and row i of the trajectory belong to step i, yet were taken at different moments of it:
each keeps its own. The last row has no frame, because cameras stop first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.sources.droid_raw.droid_raw_table import Trajectory
from pipeline.sources.frame_times import frame_times, to_times
from pipeline.sources.reference import about_episode
from pipeline.sources.storage.hdf5 import Hdf5
from schemas.array import Ints
from schemas.finding import Finding
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S

FPS = 15.0
NS_PER_MS = 1_000_000
CAMERAS = "/observation/timestamp/cameras"
_CAPTURED = ("estimated_capture", "frame_received")
"""When light fell in (the driver's stamp less the camera's latency), or when the driver had the picture."""
_READ = ("/observation/timestamp/robot_state/read_start", "/observation/timestamp/control/step_start")
"""When the robot was asked, or when the step that did so began. ``robot_timestamp_*`` is another computer's clock."""
_SAME_STEP_NS = NS_PER_S
"""What belongs to one step is never further apart."""


@dataclass(frozen=True, eq=False)
class ViewClock:
    """When the frames of one view were captured, int64 ns [N] of the recording computer; None when that is unknown."""

    name: str
    serial: str
    captured_ns: Ints | None
    problem: str
    n_frames: int | None


@dataclass(frozen=True, eq=False)
class Clock:
    """Everything on the episode clock."""

    rows_ns: Ints
    """int64 [n]; rows beyond n belong to no picture and are left out."""
    rows_are_frames: bool
    starts_ns: dict[str, int]
    """By view: when its first frame was captured; 0 when that is unknown."""

    @property
    def edges_ns(self) -> Ints:
        """When each row begins, and when the last one ends, none before 0."""
        steps = np.diff(self.rows_ns)
        last = int(np.median(steps)) if steps.size else round(NS_PER_S / FPS)
        edges_ns: Ints = np.maximum(np.append(self.rows_ns, self.rows_ns[-1] + max(last, 1)), 0)
        return edges_ns


def view_clock(table: Hdf5, name: str, serial: str, n_frames: int | None) -> ViewClock:
    """A view's capture times, where they fit its frames."""
    problem = "the trajectory keeps no times for it"
    for stamp in _CAPTURED:
        path = f"{CAMERAS}/{serial}_{stamp}"
        if table.has(path):
            captured_ns, problem = frame_times(table.values(path), NS_PER_MS, n_frames)
            if captured_ns is not None:
                return ViewClock(name, serial, captured_ns, "", n_frames)
    return ViewClock(name, serial, None, problem, n_frames)


def episode_clock(trajectory: Trajectory, views: Sequence[ViewClock]) -> tuple[Clock, list[Finding]]:
    """Rows and views on one clock, whose 0 is the first frame of ``views[0]``, and what stood in the way."""
    ref, n_rows = trajectory.ref, trajectory.n_rows
    findings = _unstamped(ref, views)
    rows_ns, problem = _row_times(trajectory.table, n_rows)
    captured_ns = views[0].captured_ns if views else None
    if captured_ns is None:
        if rows_ns is None:
            findings.append(_no_row_times(ref, f"{problem}; they are taken as one every {1000 / FPS:.1f} ms"))
            rows_ns = np.arange(n_rows, dtype=np.int64) * NS_PER_S // int(FPS)
        used = _with_frame(views, n_rows)
        return Clock((rows_ns - rows_ns[0])[:used], bool(views), {view.name: 0 for view in views}), findings
    if rows_ns is not None:
        apart_ns = int(np.median(np.abs(rows_ns[: len(captured_ns)] - captured_ns)))
        if apart_ns > _SAME_STEP_NS:
            rows_ns, problem = None, f"they are {apart_ns / NS_PER_S:.1f} s from the frames they belong to"
    if rows_ns is None:
        findings.append(_no_row_times(ref, f"{problem}; every row takes the time of its frame"))
        rows_ns = captured_ns
    starts_ns, strange = _starts(ref, views, int(captured_ns[0]))
    return Clock(rows_ns - captured_ns[0], False, starts_ns), findings + strange


def _row_times(table: Hdf5, n_rows: int) -> tuple[Ints | None, str]:
    problem = "the trajectory keeps none"
    for path in _READ:
        if table.has(path):
            stamps = table.values(path)
            if len(stamps) != n_rows:
                problem = f"there are {len(stamps)} stamps for {n_rows} rows"
                continue
            times_ns, problem = to_times(stamps, NS_PER_MS)
            if times_ns is not None:
                return times_ns, ""
    return None, problem


def _with_frame(views: Sequence[ViewClock], n_rows: int) -> int:
    """How many rows are used where row i has no other time than frame i's: the last row has no frame."""
    return n_rows - 1 if views and n_rows > 1 and views[0].n_frames == n_rows - 1 else n_rows


def _starts(ref: EpisodeRef, views: Sequence[ViewClock], origin_ns: int) -> tuple[dict[str, int], list[Finding]]:
    starts_ns, findings = {}, []
    for view in views:
        start_ns = 0 if view.captured_ns is None else int(view.captured_ns[0]) - origin_ns
        if abs(start_ns) > _SAME_STEP_NS:
            message = (
                f"view {view.name} begins {start_ns / NS_PER_S:.1f} s from view {views[0].name} by its stamps, and no "
                "step lasts that long; they are taken to start together"
            )
            findings.append(about_episode(ref, "view_clock_disagrees", message, start_ns / NS_PER_S, 1.0))
            start_ns = 0
        starts_ns[view.name] = start_ns
    return starts_ns, findings


def _unstamped(ref: EpisodeRef, views: Sequence[ViewClock]) -> list[Finding]:
    """Views whose capture times cannot be used."""
    return [
        about_episode(
            ref,
            "frame_times_unusable",
            f"the capture times of view {view.name} do not fit ({view.problem}); the video's nominal clock counts",
        )
        for view in views
        if view.captured_ns is None
    ]


def _no_row_times(ref: EpisodeRef, message: str) -> Finding:
    return about_episode(ref, "row_times_unusable", f"the rows' times cannot be used: {message}")
