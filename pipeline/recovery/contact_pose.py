"""Where an arm stands at a contact, and how the scene was just before its fingers moved.

An action that is a contact begins with it, so that the contact is the event's start. The fingers move before that: they
close until they touch. A scene to set up again is taken before they do, or an object would stand inside of them.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.recovery.demonstration import ArmPath, Pose, path_at
from schemas.array import Floats, Ints
from schemas.episode import ActionTrack, ArmTrack
from schemas.event import BoundaryKind, Event, RecoveryKind, Verb
from schemas.time import NS_PER_S

_GAP_S = 0.25
"""A pose between rows further apart is a guess."""
_BEFORE_S = 1.5
"""Fingers close or open in less."""
_UNMOVED = 0.05
"""Of the whole opening: noise, and what fingers give way when an object is carried."""
_NO_CONTACT = frozenset({RecoveryKind.MISS, RecoveryKind.SLIP})
_KINDS = {
    Verb.GRASP: frozenset({BoundaryKind.GRASP}),
    Verb.PLACE: frozenset({BoundaryKind.SUPPORT}),
    Verb.RELEASE: frozenset({BoundaryKind.RELEASE}),
}
_ANY_KIND = frozenset({*(kind for kinds in _KINDS.values() for kind in kinds), BoundaryKind.MOTION})
"""Where the verb's contact has no boundary kind of its own: an insertion begins where a motion ends."""


@dataclass(frozen=True, eq=False)
class ContactPose:
    """The contact of an event: the pose there, and when its scene is to be taken."""

    pose: Pose
    """With the opening the fingers had before they moved."""
    scene_ns: int
    row: int
    """Row of the action track at ``scene_ns``."""
    tool: Floats
    """Position [3] of the tool at that row."""


class NoContactPose(Exception):  # noqa: N818 - a reason rather than a fault
    """Why an event has no contact pose; the message is for people."""


def contact_pose(event: Event, actions: ActionTrack | None) -> ContactPose:
    """Of a contact event, from actions on the video clock. Raises NoContactPose saying what is missing."""
    if event.arm is None:
        raise NoContactPose("it is not known which arm makes the contact")
    if event.recovery in _NO_CONTACT:
        raise NoContactPose(f"it is a {event.recovery}: nothing was taken hold of or put down")
    if event.start.kind not in _KINDS.get(event.verb, _ANY_KIND):
        raise NoContactPose(f"it begins with a {event.start.kind} boundary, which is not when the contact was made")
    track = None if actions is None else next((arm for arm in actions.state if arm.arm is event.arm), None)
    if actions is None or track is None:
        raise NoContactPose(f"no state of the {event.arm} arm was recorded")
    times_ns, path, rows = _known_path(actions, track)
    contact_ns = event.span.start_ns
    after = int(np.searchsorted(times_ns, contact_ns))
    around = times_ns[max(after - 1, 0) : after + 1]
    if len(around) == 0 or np.abs(around - contact_ns).max() > _GAP_S * NS_PER_S:
        raise NoContactPose(f"no valid state of the {event.arm} arm within {_GAP_S} s of the contact")
    pose = path_at(times_ns, path, contact_ns)
    before = (times_ns > contact_ns - int(_BEFORE_S * NS_PER_S)) & (times_ns <= contact_ns)
    recent = np.flatnonzero(before)
    if not len(recent):
        raise NoContactPose(f"no valid state of the {event.arm} arm in the {_BEFORE_S} s before the contact")
    opening = _opening_before(path.opening[recent], event.verb)
    unmoved = recent[np.abs(path.opening[recent] - opening) <= _UNMOVED]
    scene = int(unmoved[-1])
    before_moving = Pose(pose.position, pose.rotation, opening)
    return ContactPose(before_moving, int(times_ns[scene]), int(rows[scene]), path.position[scene])


def _opening_before(openings: Floats, verb: Verb) -> float:
    """Of fingers that are about to take something: open. Of those that hold it: closed around it."""
    return float(np.clip(openings.max() if verb is Verb.GRASP else openings.min(), 0.0, 1.0))


def _known_path(actions: ActionTrack, track: ArmTrack) -> tuple[Ints, ArmPath, Ints]:
    """Times, path and row numbers of the rows that say everything about an arm."""
    for said, what in ((track.position, "position"), (track.rotation, "rotation"), (track.opening, "gripper opening")):
        if said is None:
            raise NoContactPose(f"the source has no {what} of the {track.arm} arm")
    assert track.position is not None
    assert track.rotation is not None
    assert track.opening is not None
    known = actions.valid & np.isfinite(np.column_stack([track.position, track.rotation, track.opening])).all(axis=1)
    rows: Ints = np.flatnonzero(known)
    if len(rows) < 2:
        raise NoContactPose(f"no valid state of the {track.arm} arm")
    path = ArmPath(
        track.position[rows].astype(np.float64), track.rotation[rows], track.opening[rows].astype(np.float64)
    )
    return actions.times_ns[rows], path, rows
