"""The members of one sample: views, ``action.npz``, ``state.npz``, ``calib.json``, ``event.json`` (docs/shard.md).

Keys stand in the order written, not sorted: views start with the master view, captions with the task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import JoineryError
from pipeline.shards.actions import action_arrays, state_arrays
from pipeline.shards.json_text import compact
from pipeline.shards.names import sample_key
from pipeline.shards.npz import write_npz
from pipeline.shards.recording import Recording
from schemas.arrow import to_row
from schemas.episode import Camera
from schemas.event import Event
from schemas.plan import Draw
from schemas.shard import Clip
from schemas.tree import ancestors

FORMAT = 1
"""Version of the member layout; readers refuse what they do not know."""


@dataclass(frozen=True, eq=False)
class Sample:
    """What one sample is made of."""

    draw: Draw
    event: Event
    recording: Recording
    clips: Sequence[Clip]
    """In the order of the episode's cameras."""

    @property
    def key(self) -> str:
        return sample_key(self.draw)


def sample_members(sample: Sample) -> list[tuple[str, bytes]]:
    """(extension, content) in the order written: views, action, state, calib, event."""
    control, views = sample.recording.control, sample.recording.views
    rows = sample.event.span.action_start, sample.event.span.action_end
    return [
        *((f"{views[clip.camera]}.mp4", clip.mp4) for clip in sample.clips),
        ("action.npz", write_npz(action_arrays(control, *rows))),
        ("state.npz", write_npz(state_arrays(control, *rows))),
        ("calib.json", compact(_calibration(sample.recording, sample.clips))),
        ("event.json", compact(_record(sample))),
    ]


def clips_of(event: Event, recording: Recording, clips: Mapping[str, Clip]) -> list[Clip]:
    """The event's clips in the order of the episode's cameras. Raises JoineryError unless the master view is whole."""
    found = [clips[camera.name] for camera in recording.episode.cameras if camera.name in clips]
    master = recording.episode.master.name
    if not found or found[0].camera != master or found[0].n_frames != event.span.n_frames:
        seen = {clip.camera: clip.n_frames for clip in found}
        raise JoineryError(
            f"{event.event_id}: clips {seen}, expected {event.span.n_frames} frames of {master}; "
            "`cut` did not finish this episode: `joinery status` says why"
        )
    return found


def _record(sample: Sample) -> dict[str, Any]:
    draw, event, recording = sample.draw, sample.event, sample.recording
    episode, clips = recording.episode, sample.clips
    chain = [*reversed(ancestors(event, dict(recording.events))), event]
    assignment = recording.assignments.get(event.event_id)
    roles = {camera.name: str(camera.role) for camera in episode.cameras}
    return {
        "format": FORMAT,
        "key": sample.key,
        "event": to_row(event),
        "captions": {str(node.level): node.caption for node in chain},
        "verbs": {str(node.level): str(node.verb) for node in chain},
        "ancestors": [node.event_id for node in chain[:-1]],
        "instruction": episode.instruction,
        "action_kind": str(episode.action_kind),
        "n_frames": clips[0].n_frames,
        "duration_s": event.span.duration_s,
        "views": {
            recording.views[clip.camera]: {
                "camera": clip.camera,
                "role": roles[clip.camera],
                "n_frames": clip.n_frames,
                "width": clip.width,
                "height": clip.height,
                "sha256": clip.sha256,
                "times_ns": clip.times_ns.tolist(),
            }
            for clip in clips
        },
        "cell": {
            "vision_language": draw.vision_language,
            "action": draw.action,
            "target_share": draw.target_share,
            "weight": draw.weight,
            "vision_language_distance": assignment.vision_language_distance if assignment else None,
            "action_distance": assignment.action_distance if assignment else None,
            "tail": assignment.tail if assignment else None,
        },
        "draw": {
            "plan_id": draw.plan_id,
            "split": draw.split,
            "t": draw.t,
            "shard": draw.shard,
            "position": draw.position,
            "repeat": draw.repeat,
            "repeat_cap": draw.repeat_cap,
        },
        "lineage": {
            "source": episode.source,
            "kind": str(episode.kind),
            "dataset": episode.dataset,
            "locator": episode.locator,
            "embodiment": episode.embodiment,
            "protocol": str(episode.protocol),
            "episode_id": episode.episode_id,
            "event_id": event.event_id,
        },
        "licence": episode.licence,
        "consent": episode.consent,
        "sync": {"verdict": str(recording.alignment.verdict), "offset_ns": recording.alignment.offset_ns},
        "action_provenance": recording.actions.provenance if recording.actions else "",
        "action_frame": recording.actions.frame if recording.actions else "",
    }


def _calibration(recording: Recording, clips: Sequence[Clip]) -> dict[str, Any]:
    """Cameras in the pixels of their clips, and how raw gripper signals became openings."""
    cameras = {camera.name: camera for camera in recording.episode.cameras}
    return {
        "format": FORMAT,
        "cameras": {recording.views[clip.camera]: _camera(cameras[clip.camera], clip) for clip in clips},
        "openings": [to_row(scale) for scale in recording.calibration.openings],
    }


def _camera(camera: Camera, clip: Clip) -> dict[str, Any]:
    first = int(np.searchsorted(camera.times_ns, clip.times_ns[0]))
    extrinsics = camera.extrinsics
    if extrinsics is not None and len(extrinsics) > 1:
        extrinsics = extrinsics[first : first + clip.n_frames]
    intrinsics = camera.intrinsics
    if intrinsics is not None:
        intrinsics = _pixels_scaled(clip.width / camera.width, clip.height / camera.height) @ intrinsics
    return {
        "role": str(camera.role),
        "width": clip.width,
        "height": clip.height,
        "source_width": camera.width,
        "source_height": camera.height,
        "intrinsics": intrinsics,
        "distortion": camera.distortion,
        "extrinsics": extrinsics,
    }


def _pixels_scaled(x: float, y: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """From source to clip pixels [3, 3], whole numbers being pixel centres (OpenCV's convention)."""
    return np.array([[x, 0.0, (x - 1) / 2], [0.0, y, (y - 1) / 2], [0.0, 0.0, 1.0]])
