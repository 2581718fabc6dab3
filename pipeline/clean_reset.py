"""Failed resets: a structured episode that starts where its group's episodes do not start.

The last episode's end is the usual place for that: the robot was not driven back before recording went on. Only the
group knows its home poses (`pipeline.home_pose`), so this check comes after calibration, where events are cut. It is
told and kept by default, because such an episode shows sound motion from an unusual start;
``segment.on_failed_reset`` says otherwise.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.home_pose import JOINTS, EdgePose, distance, edge_poses
from schemas.calibration import Calibration, HomePose
from schemas.episode import ActionTrack, Episode
from schemas.finding import Finding, Verdict


def check_reset(
    episode: Episode, actions: ActionTrack | None, calibration: Calibration | None, verdict: Verdict
) -> Iterator[Finding]:
    """One finding per arm that starts outside every home pose of the group; nothing where the group has none."""
    if actions is None or calibration is None:
        return
    for pose in edge_poses(episode, actions):
        homes = [
            home for home in calibration.homes if home.signal == pose.signal and len(home.centre) == len(pose.start)
        ]
        starts = [home for home in homes if not home.at_end]
        if not starts or any(_distance(pose, home) <= home.limit for home in starts):
            continue
        nearest = min(starts, key=lambda home: _distance(pose, home))
        yield Finding(
            subject=episode.episode_id,
            source=episode.source,
            stage="segment",
            check="failed_reset",
            verdict=verdict,
            message=f"{episode.locator}: {_told(pose, nearest, homes, calibration.group)}",
            value=round(_distance(pose, nearest), 6),
            threshold=nearest.limit,
        )


def _distance(pose: EdgePose, home: HomePose) -> float:
    weights = home.weights.astype(np.float64)
    return float(distance((pose.start * weights)[None], home.centre.astype(np.float64))[0])


def _told(pose: EdgePose, nearest: HomePose, homes: Sequence[HomePose], group: str) -> str:
    """What is wrong with a start, and what probably happened."""
    far = f"{_distance(pose, nearest):.2f} {'of a joint range' if pose.signal == JOINTS else 'm'}"
    what = "the robot starts" if pose.signal == JOINTS else f"the {pose.signal} arm starts"
    where_others_end = any(home.at_end and _distance(pose, home) <= home.limit for home in homes)
    why = (
        "that is where others end, it was not driven back" if where_others_end else "not reset, or its beginning is cut"
    )
    return f"{what} {far} from where episodes of {group} start: {why}"
