"""Made-up episodes with exact boundaries as cases to score: what `make test` and the benchmarks measure on.

The truth is simulated contact (`pipeline.synthetic`), the events are those of the segment stage, whole range kept.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from annotators.scores.baselines import SAME_COUNT, UNIFORM, same_count, signal_baselines, uniform
from annotators.scores.marks import OURS, Case, Mark, inside
from annotators.segment import segment
from pipeline.synthetic.trajectory import Noise, Trajectory, Variant, as_action_track, make_trajectory
from schemas.calibration import Calibration, OpeningScale
from schemas.episode import (
    ActionKind,
    ActionTrack,
    Alignment,
    Arm,
    Camera,
    CameraRole,
    Episode,
    KeptRange,
    Protocol,
    SyncVerdict,
    VideoWindow,
)
from schemas.event import BoundaryKind, Level
from schemas.recipe import SegmentSpec
from schemas.source import SourceKind

GRASPING = (Variant.PLAIN, Variant.PAUSE, Variant.MISS, Variant.SLIP, Variant.DROP, Variant.ABANDON)
SPEC = SegmentSpec()
_NOTHING = np.zeros(0, np.float32)
CALIBRATION = Calibration(
    "made/arm", "made", "arm", tuple(OpeningScale(arm, "opening", 0.0, 1.0, True, _NOTHING, _NOTHING) for arm in Arm)
)


def one_arm(seeds: Sequence[int], rate_hz: int, noise: Noise | None = None) -> Iterator[Case]:
    """Every grasping variant with one arm; odd seeds do a plain task after it."""
    for seed in seeds:
        for variant in GRASPING:
            tasks = {Arm.RIGHT: (variant, Variant.PLAIN) if seed % 2 else (variant,)}
            yield made_case(tasks, [seed, 3], rate_hz, noise)


def two_arms(seeds: Sequence[int], rate_hz: int) -> Iterator[Case]:
    """A plain task left while the right arm goes through every variant."""
    for seed in seeds:
        for variant in GRASPING:
            yield made_case({Arm.LEFT: (Variant.PLAIN,), Arm.RIGHT: (variant,)}, [seed, 4], rate_hz)


def pushes(seeds: Sequence[int], rate_hz: int) -> Iterator[Case]:
    """A push with one arm, alone and before a plain task."""
    for seed in seeds:
        for tasks in ((Variant.PUSH,), (Variant.PUSH, Variant.PLAIN)):
            yield made_case({Arm.RIGHT: tasks}, [seed, 5], rate_hz)


def made_case(
    tasks: Mapping[Arm, Sequence[Variant]], seed: Sequence[int], rate_hz: int, noise: Noise | None = None
) -> Case:
    """One episode, cut by the segment stage and by every baseline."""
    trajectory = make_trajectory(seed, tasks, rate_hz=rate_hz, noise=noise)
    episode, actions = made_episode(trajectory)
    ranges = ((0, trajectory.end_ns),)
    kept = Alignment(episode.episode_id, SyncVerdict.CONFIRMED, 0, 1.0, 1.0, (KeptRange(*ranges[0]),))
    events = segment(episode, actions, (), kept, CALIBRATION, spec=SPEC)
    starts = {e.start.frame: e.start for e in events if e.level is Level.ACTION}
    ours = [Mark(b.t_ns, b.kind, b.arm, b.confidence, b.sigma_s) for _, b in sorted(starts.items())]
    ours = [mark for mark in ours if mark.kind is not BoundaryKind.RANGE_EDGE]
    proposed = {OURS: ours, UNIFORM: uniform(ranges), SAME_COUNT: same_count(ranges, ours)}
    proposed |= signal_baselines(actions, CALIBRATION, SPEC)
    return Case(
        name="-".join(str(part) for part in seed),
        ranges_ns=ranges,
        true=inside([Mark(mark.t_ns, mark.kind, mark.arm) for mark in trajectory.boundaries], ranges),
        systems={name: inside(marks, ranges) for name, marks in proposed.items()},
        slices={"task": "made", "outcome": "success" if trajectory.success else "failure"},
    )


def made_episode(trajectory: Trajectory) -> tuple[Episode, ActionTrack]:
    """A trajectory as the records of ingest."""
    window = VideoWindow("video/main", 0, 0, trajectory.end_ns)
    camera = Camera("main", CameraRole.THIRD_PERSON, window, 64, 48, trajectory.times_ns, trajectory.end_ns)
    episode = Episode(
        episode_id="ep-made",
        source="made",
        kind=SourceKind.SELF_COLLECTED,
        dataset="made",
        locator="made",
        embodiment="arm",
        instruction=trajectory.instruction,
        protocol=Protocol.STRUCTURED,
        action_kind=ActionKind.MEASURED,
        cameras=(camera,),
        annotations=(),
        licence="CC0-1.0",
        consent="not needed",
    )
    return episode, as_action_track(trajectory, episode.episode_id)
