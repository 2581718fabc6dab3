"""What ingest asks of a robot's geometry: the recipe's kinematics and retargeting, applied to one episode."""

import dataclasses

from pipeline.kinematics.forward import with_forward_kinematics
from pipeline.kinematics.retarget import with_retargeting
from pipeline.sources.raw import RawEpisode
from pipeline.sources.reference import about_episode, common_part
from schemas.source import EpisodeRef


def with_kinematics(ref: EpisodeRef, raw: RawEpisode) -> RawEpisode:
    """The episode with poses from joints, then joints from poses, as its source's section says.

    Findings are added to the episode's own. Raises SourceError where recording and recipe do not fit each other,
    JoineryError without pinocchio.
    """
    spec = common_part(ref)
    if not spec.kinematics and not spec.retarget:
        return raw
    if raw.actions is None:
        message = "the recipe describes the robot, but this recording has no actions"
        return dataclasses.replace(
            raw, findings=(*raw.findings, about_episode(ref, "kinematics_without_actions", message))
        )
    track, posed = with_forward_kinematics(ref, raw.actions, spec.kinematics)
    track, followed = with_retargeting(ref, track, spec.retarget)
    return dataclasses.replace(raw, actions=track, findings=(*raw.findings, *posed, *followed))
