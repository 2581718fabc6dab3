"""What is wrong with an episode's pictures: streams, clocks, black, frozen, repeated and blurred frames.

Only the master view, whose frames number the episode, can make a check trim or drop; a defect of another view is
worth knowing and costs nothing. Everything is read off the filmstrip, nothing is decoded.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from pipeline.episode_finding import episode_finding
from pipeline.mask_runs import runs_of
from pipeline.motion import arm_channels, joint_speed
from schemas.array import Bools, Floats
from schemas.episode import ActionTrack, Camera, Episode
from schemas.filmstrip import Filmstrip, FrameFlag
from schemas.finding import Finding, Verdict
from schemas.recipe_clean import CleanSpec
from schemas.time import MIN_EVENT_FRAMES, NS_PER_S

_GAP_PERIODS = 5.0
"""A hole in the pictures is that many usual periods long, and longer than the recipe allows."""
_MOVING_M_S, _MOVING_RANGES_S = 0.05, 0.2
"""Above these median speeds a picture that does not change is a stuck camera, not a still scene."""


def check_pictures(
    episode: Episode, actions: ActionTrack | None, strips: dict[str, Filmstrip], spec: CleanSpec
) -> Iterator[Finding]:
    """Findings about all views. ``actions`` are on the video clock, ``strips`` by camera name."""
    if not episode.cameras:
        message = "there is no camera; an event needs video, add a view or leave it out"
        yield episode_finding(episode, "no_camera", Verdict.DROP, message, value=0.0, threshold=1.0)
        return
    for camera in episode.cameras:
        strip = strips.get(camera.name)
        if strip is None or len(strip.luma) != camera.n_frames or not camera.n_frames:
            yield _missing_stream(episode, camera, strip)
            continue
        yield from _check_clock(episode, camera, spec)
        if camera is not episode.master:
            yield from _check_coverage(episode, camera, spec)
        yield from _check_black(episode, camera, strip, spec)
        yield from _check_frozen(episode, camera, strip, actions, spec)
        yield from _check_blur(episode, camera, strip, spec)


def _missing_stream(episode: Episode, camera: Camera, strip: Filmstrip | None) -> Finding:
    found = 0 if strip is None else len(strip.luma)
    return episode_finding(
        episode,
        "missing_camera_stream",
        Verdict.DROP if camera is episode.master else Verdict.KEEP,
        f"camera {camera.name} has {camera.n_frames} frame times and {found} pictures; look at its video file",
        value=found,
        threshold=camera.n_frames,
    )


def _check_clock(episode: Episode, camera: Camera, spec: CleanSpec) -> Iterator[Finding]:
    """Length, rate, variability and holes of a view's frame times."""
    note = partial(episode_finding, episode, verdict=Verdict.KEEP)
    if camera is episode.master and camera.n_frames < MIN_EVENT_FRAMES:
        yield episode_finding(
            episode,
            "too_short",
            Verdict.DROP,
            f"the master view has {camera.n_frames} frames, an event needs {MIN_EVENT_FRAMES}",
            value=camera.n_frames,
            threshold=MIN_EVENT_FRAMES,
        )
    if camera.n_frames < 2:
        return
    period = np.diff(camera.times_ns).astype(np.float64)
    usual = float(np.median(period))
    fps = NS_PER_S / usual
    if camera is not episode.master and _runs_like(camera, episode.master):
        pass  # told once, of the master view
    elif fps < spec.min_fps:
        message = (
            f"camera {camera.name} runs at {fps:.3g} frames/s; motion between frames is lost, boundaries are coarse"
        )
        yield note(check="low_frame_rate", message=message, value=fps, threshold=spec.min_fps)
    elif fps > spec.max_fps:
        message = f"camera {camera.name} runs at {fps:.4g} frames/s; check the container's time base"
        yield note(check="high_frame_rate", message=message, value=fps, threshold=spec.max_fps)
    low, high = np.percentile(period, [5.0, 95.0])
    spread = (high - low) / usual
    if spread > spec.max_period_spread:
        message = f"camera {camera.name} has frame periods from {low / 1e6:.1f} to {high / 1e6:.1f} ms; they are kept"
        yield note(check="uneven_frame_periods", message=message, value=spread, threshold=spec.max_period_spread)
    longest, limit = int(np.argmax(period)), max(_GAP_PERIODS * usual, spec.max_frame_gap_s * NS_PER_S)
    if period[longest] > limit:
        yield note(
            check="frame_gap",
            message=f"camera {camera.name} shows nothing new for {period[longest] / NS_PER_S:.2f} s between two frames",
            value=period[longest] / NS_PER_S,
            threshold=limit / NS_PER_S,
            span_ns=(int(camera.times_ns[longest]), int(camera.times_ns[longest + 1])),
        )


def _runs_like(camera: Camera, master: Camera) -> bool:
    """Whether two views have the same usual frame period, to a hundredth."""
    if master.n_frames < 2:
        return False
    one, other = np.median(np.diff(camera.times_ns)), np.median(np.diff(master.times_ns))
    return bool(abs(one - other) <= other / 100)


def _check_coverage(episode: Episode, camera: Camera, spec: CleanSpec) -> Iterator[Finding]:
    """Whether a second view covers the master view's time."""
    master = episode.master
    if not master.n_frames:
        return
    late_ns = max(0, int(camera.times_ns[0]) - int(master.times_ns[0]))
    uncovered_s = (late_ns + max(0, master.end_ns - camera.end_ns)) / NS_PER_S
    if uncovered_s > spec.max_uncovered_s:
        yield episode_finding(
            episode,
            "camera_covers_part",
            Verdict.KEEP,
            f"camera {camera.name} leaves {uncovered_s:.2f} s of the master view uncovered",
            value=uncovered_s,
            threshold=spec.max_uncovered_s,
        )


def _check_black(episode: Episode, camera: Camera, strip: Filmstrip, spec: CleanSpec) -> Iterator[Finding]:
    """Near-black frames: trimmed at the ends of the master view, noted elsewhere."""
    black = black_frames(strip, spec)
    if not np.any(black):
        return
    share = float(np.mean(black))
    is_master = camera is episode.master
    if np.all(black):
        verdict = Verdict.DROP if is_master and spec.trim_black else Verdict.KEEP
        message = f"camera {camera.name} shows nothing but black"
        yield episode_finding(episode, "all_black", verdict, message, value=share, threshold=1.0)
        return
    first, last = int(np.argmin(black)), len(black) - int(np.argmin(black[::-1]))
    edges = [(0, first), (last, len(black))] if is_master and spec.trim_black else []
    for start, stop in edges:
        if stop > start:
            where = "the start" if start == 0 else "the end"
            yield episode_finding(
                episode,
                "black_end",
                Verdict.TRIM,
                f"camera {camera.name} is black for {stop - start} frames at {where}",
                value=stop - start,
                threshold=0.0,
                span_ns=_span_ns(camera, start, stop),
            )
    inner = black[first:last] if edges else black
    if np.any(inner):
        message = f"camera {camera.name} has {np.count_nonzero(inner)} black frames in what is kept"
        yield episode_finding(episode, "black_frames", Verdict.KEEP, message, value=share, threshold=0.0)


def black_frames(strip: Filmstrip, spec: CleanSpec) -> Bools:
    """Near-black frames in which nothing is seen, bool [N]. A dark scene (stars, a night street) has sharp detail."""
    black: Bools = ((strip.flags & FrameFlag.BLACK) != 0) & (strip.sharpness < spec.min_sharpness)
    return black


def _check_frozen(
    episode: Episode, camera: Camera, strip: Filmstrip, actions: ActionTrack | None, spec: CleanSpec
) -> Iterator[Finding]:
    """Runs of identical frames: trimmed where the master view stands still while the robot moves; repeats elsewhere.

    Black frames are all alike and told as black.
    """
    duplicate = ((strip.flags & FrameFlag.DUPLICATE) != 0) & ~black_frames(strip, spec)
    runs = [(first - 1, stop) for first, stop in runs_of(duplicate) if first > 0]
    long = [
        run for run in runs if camera.clock.edge_ns(run[1]) - camera.clock.edge_ns(run[0]) >= spec.frozen_s * NS_PER_S
    ]
    stuck = [run for run in long if camera is episode.master and _robot_moves(actions, *_span_ns(camera, *run))]
    for run in stuck:
        start_ns, end_ns = _span_ns(camera, *run)
        yield episode_finding(
            episode,
            "frozen_while_moving",
            Verdict.TRIM,
            f"camera {camera.name} repeats a picture for {(end_ns - start_ns) / NS_PER_S:.2f} s while the robot moves",
            value=(end_ns - start_ns) / NS_PER_S,
            threshold=spec.frozen_s,
            span_ns=(start_ns, end_ns),
        )
    still = [run for run in long if run not in stuck]
    if still:
        longest = max(still, key=lambda run: run[1] - run[0])
        total_s = sum(end - start for start, end in (_span_ns(camera, *run) for run in still)) / NS_PER_S
        yield episode_finding(
            episode,
            "frozen_pictures",
            Verdict.KEEP,
            f"camera {camera.name} stands still for {total_s:.2f} s in {len(still)} runs; the longest one is named",
            value=total_s,
            threshold=spec.frozen_s,
            span_ns=_span_ns(camera, *longest),
        )
    repeats = sum(stop - start - 1 for start, stop in runs if (start, stop) not in long) / len(duplicate)
    if repeats > spec.max_duplicated_share:
        message = (
            f"camera {camera.name} repeats {repeats:.0%} of its frames; its true rate is lower than its clock says"
        )
        yield episode_finding(
            episode, "duplicated_frames", Verdict.KEEP, message, value=repeats, threshold=spec.max_duplicated_share
        )


def _robot_moves(actions: ActionTrack | None, start_ns: int, end_ns: int) -> bool:
    """Whether the measured motion inside an interval is clearly more than rest."""
    if actions is None:
        return False
    arms = arm_channels(actions, actions.state)
    joints = None if arms else joint_speed(actions, actions.joint_state)
    speeds: list[tuple[Floats, float]] = [(channel.speed, _MOVING_M_S) for channel in arms]
    speeds += [] if joints is None else [(joints, _MOVING_RANGES_S)]
    inside = (actions.times_ns >= start_ns) & (actions.times_ns < end_ns)
    known = [(speed[inside & np.isfinite(speed)], limit) for speed, limit in speeds]
    return any(len(speed) > 0 and float(np.median(speed)) > limit for speed, limit in known)


def _check_blur(episode: Episode, camera: Camera, strip: Filmstrip, spec: CleanSpec) -> Iterator[Finding]:
    """Frames without detail that are not black; for information."""
    blurred = (strip.sharpness < spec.min_sharpness) & ~black_frames(strip, spec)
    share = float(np.mean(blurred))
    if share > spec.max_blurred_share:
        message = f"camera {camera.name} shows hardly any detail in {share:.0%} of its frames"
        yield episode_finding(episode, "blur", Verdict.KEEP, message, value=share, threshold=spec.max_blurred_share)


def _span_ns(camera: Camera, start: int, stop: int) -> tuple[int, int]:
    return camera.clock.edge_ns(start), camera.clock.edge_ns(stop)
