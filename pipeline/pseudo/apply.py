"""What ingest asks of pseudo-actions: which view to watch, and the track that comes of it.

Only a recording without any action track gets one. What was measured is never replaced and never added to.
"""

import dataclasses
import json
from collections.abc import Collection

from pipeline.errors import SourceError
from pipeline.pseudo.hand_actions import HandWatch
from pipeline.pseudo.trackers import TRACKERS
from pipeline.sources.raw import RawEpisode
from pipeline.sources.reference import about_episode, common_part
from schemas.episode import Arm, CameraRole
from schemas.finding import Finding
from schemas.source import EpisodeRef


def hand_watch(ref: EpisodeRef, raw: RawEpisode) -> HandWatch | None:
    """The watcher of the episode's first egocentric view, or of its master view; None when there is nothing to do.

    Raises SourceError when this machine has another tracker than the one the episode was listed with.
    """
    spec = common_part(ref).pseudo_actions
    if spec is None or raw.actions is not None or not raw.cameras:
        return None
    tracking = TRACKERS[spec.method]
    listed, here = json.loads(ref.metadata).get("tracker"), tracking.revision()
    if listed != here:
        raise SourceError(
            f"{ref.source}, {ref.locator}: listed for hands by {listed}, this worker has {here}; install the same "
            "version on all machines, then run again"
        )
    egocentric = [camera for camera in raw.cameras if camera.role is CameraRole.EGO]
    camera = (egocentric or raw.cameras)[0]
    focal_px = None if camera.intrinsics is None else float(camera.intrinsics[0, 0])
    return HandWatch(camera.name, tracking.tracker(), spec, focal_px)


def with_pseudo_actions(
    ref: EpisodeRef, raw: RawEpisode, watch: HandWatch | None, views: Collection[str]
) -> RawEpisode:
    """The episode with the watched hands as its actions; ``views`` are those that could be decoded."""
    spec = common_part(ref).pseudo_actions
    if spec is None:
        return raw
    if watch is None or watch.camera not in views:
        message = "no hands are looked for: the recording has actions, which pseudo-actions never replace"
        if raw.actions is None:
            message = "no hands are looked for: there is no picture to look at"
        return _told(raw, about_episode(ref, "pseudo_actions_left_out", message))
    made_by = TRACKERS[spec.method].revision()
    track = watch.track(ref.episode_id, f"hands in view {watch.camera} by {made_by}")
    seen = ", ".join(f"{arm} {watch.share(arm):.0%}" for arm in Arm)
    outcome = "no track is made of so few" if track is None else "they make a pseudo action track"
    message = f"hands in {len(watch.times_ns)} pictures of view {watch.camera}: {seen}; {outcome}"
    best = max(watch.share(arm) for arm in Arm)
    return _told(dataclasses.replace(raw, actions=track), about_episode(ref, "pseudo_actions", message, best))


def _told(raw: RawEpisode, finding: Finding) -> RawEpisode:
    return dataclasses.replace(raw, findings=(*raw.findings, finding))
