"""A collection plan from contact events: arithmetic only; `jobs.recover` reads the workspace and writes the folder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from pipeline.recovery.contact_pose import ContactPose, NoContactPose, contact_pose
from pipeline.recovery.demonstration import Demonstration, Pose, demonstration_of
from pipeline.recovery.geodesic_ball import NOWHERE, GeodesicBall, displacement, is_perturbed, moved, start_seed
from schemas.episode import ActionTrack, Episode
from schemas.event import Event
from schemas.identity import canonical_json, make_id
from schemas.recipe_recover import RecoverSpec
from schemas.recovery_plan import (
    DEMONSTRATIONS,
    CollectionPlan,
    ParentSource,
    PlannedEvent,
    PlannedPose,
    Scene,
    Start,
    StartKind,
)
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S

_DIGITS = 6
"""Micrometres and microradians: more is noise, and text that differs by platform."""


def planned_event(
    event: Event, episode: Episode, ref: EpisodeRef, actions: ActionTrack | None, spec: RecoverSpec
) -> tuple[PlannedEvent, Demonstration | None]:
    """One contact with its starts, and what the demonstration did from there; actions are on the video clock.

    An event nothing can be started from is planned too, with the problem instead of starts.
    """
    try:
        contact, frame = _contact(event, actions, spec)
        demonstration = _demonstration(contact, actions, spec)
    except NoContactPose as error:
        return _without_starts(event, episode, ref).model_copy(update={"problem": str(error)}), None
    planned = _without_starts(event, episode, ref)
    more = {
        "scene_ns": contact.scene_ns,
        "scene": planned.scene.model_copy(update={"row": contact.row, "tool_m": _rounded(contact.tool)}),
        "frame": frame,
        "nominal": planned_pose(contact.pose),
        "opening": round(contact.pose.opening, _DIGITS),
        "starts": [_start(event, contact.pose, index, spec) for index in range(spec.starts)],
        "demonstration": f"{DEMONSTRATIONS}/{event.event_id}.npz",
        "replay_s": round(demonstration.duration_s, 3),
        "cut_short": _is_cut_short(contact, actions, spec),
    }
    return planned.model_copy(update=more), demonstration


def _contact(event: Event, actions: ActionTrack | None, spec: RecoverSpec) -> tuple[ContactPose, str]:
    if event.start.confidence < spec.min_confidence:
        found = f"the time of the contact has a confidence of {event.start.confidence:.2f}"
        raise NoContactPose(f"{found}, less than recover.min_confidence ({spec.min_confidence:g})")
    contact = contact_pose(event, actions)
    assert actions is not None
    return contact, actions.frame


def _demonstration(contact: ContactPose, actions: ActionTrack | None, spec: RecoverSpec) -> Demonstration:
    assert actions is not None
    end_ns = contact.scene_ns + int(spec.max_replay_s * NS_PER_S)
    found = demonstration_of(actions, contact.scene_ns, end_ns)
    if found is None:
        raise NoContactPose("the demonstration has no valid rows after the contact, or not of every arm")
    return found


def _is_cut_short(contact: ContactPose, actions: ActionTrack | None, spec: RecoverSpec) -> bool:
    return actions is not None and int(actions.times_ns[-1]) >= contact.scene_ns + spec.max_replay_s * NS_PER_S


def _without_starts(event: Event, episode: Episode, ref: EpisodeRef) -> PlannedEvent:
    files = {file.part: file.path for file in ref.files}
    return PlannedEvent(
        event_id=event.event_id,
        episode_id=event.episode_id,
        source=episode.source,
        embodiment=ref.embodiment,
        instruction=episode.instruction,
        verb=event.verb,
        caption=event.caption,
        arm=event.arm,
        boundary=event.start.kind,
        confidence=round(event.start.confidence, _DIGITS),
        contact_ns=event.span.start_ns,
        scene_ns=event.span.start_ns,
        scene=Scene(root=ref.root, locator=ref.locator, files=files, row=event.span.action_start),
    )


def _start(event: Event, contact: Pose, index: int, spec: RecoverSpec) -> Start:
    seed = start_seed(event.event_id, index, spec.seed)
    perturbed = is_perturbed(event.event_id, index, spec.alpha, spec.seed)
    ball = GeodesicBall(spec.radius_m, np.radians(spec.angle_deg))
    by = displacement(ball, seed) if perturbed else NOWHERE
    position, rotation = moved(contact.position, contact.rotation, by)
    pose = planned_pose(Pose(position, rotation, contact.opening))
    kind = StartKind.PERTURBED if perturbed else StartKind.NOMINAL
    return Start(
        start_id=make_id("st", event.event_id, str(index), canonical_json(pose.model_dump(mode="json"))),
        index=index,
        kind=kind,
        pose=pose,
        distance_m=round(by.distance_m, _DIGITS),
        angle_rad=round(by.angle_rad, _DIGITS),
        seed=seed,
        problem=_outside(pose, spec),
    )


def _outside(pose: PlannedPose, spec: RecoverSpec) -> str:
    """What of the allowed workspace a pose leaves."""
    z = pose.position_m[2]
    if spec.max_height_m is not None and z > spec.max_height_m:
        return f"z is {z:.3f} m, above recover.max_height_m ({spec.max_height_m:g})"
    if spec.box is not None:
        for axis, value, low, high in zip("xyz", pose.position_m, spec.box.low, spec.box.high, strict=True):
            if not low <= value <= high:
                return f"{axis} is {value:.3f} m, outside recover.box ({low:g} to {high:g})"
    return ""


def planned_pose(pose: Pose) -> PlannedPose:
    """A pose as the plan writes it."""
    quaternion = Rotation.from_matrix(pose.rotation).as_quat()
    quaternion = quaternion * np.sign(quaternion[np.argmax(np.abs(quaternion))])  # q and -q are the same rotation
    return PlannedPose(
        position_m=_rounded(pose.position),
        rotation_6d=_rounded(pose.rotation[:2].reshape(-1)),
        quaternion_xyzw=_rounded(quaternion),
    )


def pose_of(planned: PlannedPose, opening: float) -> Pose:
    """The inverse of `planned_pose`."""
    rotation = Rotation.from_quat(planned.quaternion_xyzw).as_matrix()
    return Pose(np.asarray(planned.position_m, np.float64), rotation, opening)


def _rounded(values: Sequence[float] | np.ndarray) -> list[float]:
    return [round(float(value), _DIGITS) + 0.0 for value in values]


def collection_plan(
    spec: RecoverSpec, sources: Sequence[ParentSource], events: Sequence[PlannedEvent], n_contacts: int
) -> CollectionPlan:
    """The plan; its id is that of its starts, wherever the recordings lie and whatever the captions say."""
    starts = [event.event_id + "".join(start.start_id for start in event.starts) for event in events]
    plan_id = make_id("rp", canonical_json(spec.model_dump(mode="json")), *starts)
    return CollectionPlan(
        joinery_recovery_plan=1,
        plan_id=plan_id,
        recover=spec,
        sources=list(sources),
        n_contacts=n_contacts,
        events=list(events),
    )
