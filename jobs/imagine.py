"""``joinery policy imagine``: a recorded event, and beside it what a trained model imagines from its first instant."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from jobs.policy import PolicyRequest, open_policy
from pipeline.errors import JoineryError
from pipeline.loader.decode import Pixels, decode_clip
from pipeline.loader.find import found_draw
from pipeline.loader.reader import ShardSet
from pipeline.loader.sample import EventSample
from schemas.array import Floats
from trainer.eval.drawing import action_plot, clip, filmstrip, png
from trainer.example import seen_view, shown_whole
from trainer.policy import ActionChunk, Observation, WallWMPolicy


@dataclass(frozen=True)
class EventRequest:
    """Which event of which shard set."""

    shards: str
    event: str
    """Its id, or its draw number in ``split``."""
    split: str = "train"
    storage: dict[str, str] | None = None


def imagine_event(request: PolicyRequest, asked: EventRequest, out: Path, seed: int) -> dict[str, Any]:
    """Write pictures, curves and numbers into ``out``; the numbers. Raises JoineryError for what a user can mend."""
    sample = found_event(ShardSet.open(asked.shards, asked.storage), asked)
    observation = observation_of(sample)
    policy = open_policy(replace(request, embodiment=request.embodiment or sample.statistics_group))
    duration_s = (sample.span.end_ns - sample.span.start_ns) / 1e9
    try:
        chunk = policy.act(observation, duration_s, seed, sampling=replace(policy.sampling, video=True))
    except ValueError as error:
        raise JoineryError(f"{sample.event_id}: {error}") from error
    true_K20 = recorded_actions(sample, chunk.times_s)
    out.mkdir(parents=True, exist_ok=True)
    _draw(policy, sample, chunk, true_K20, out)
    numbers = _numbers(policy, sample, chunk, true_K20) | {"seed": seed}
    (out / f"{sample.event_id}.json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    return numbers


def found_event(shards: ShardSet, asked: EventRequest) -> EventSample:
    """Raises JoineryError when there is no such event, or when it has no actions."""
    others = [split for split in shards.splits if split != asked.split]
    try:
        sample = shards.read(*found_draw(shards, asked.event, [asked.split, *others]))
    except ValueError as error:
        raise JoineryError(f"{asked.shards}: {error}") from error
    if sample.anchor_20() is None:
        raise JoineryError(f"{sample.event_id}: has no actions to compare with; choose an event of a robot")
    return sample


def observation_of(sample: EventSample) -> Observation:
    """What was known when the event began. Raises ValueError for an event without states."""
    anchor_20 = sample.anchor_20()
    if anchor_20 is None:
        raise ValueError(f"{sample.event_id}: no valid state, so there is no pose to start from")
    pictures = {camera: first_picture(sample, camera) for camera in sample.views}
    return Observation(pictures, anchor_20, sample.state_known_20, sample.caption)


def first_picture(sample: EventSample, camera: str) -> Pixels:
    """What the camera showed when the master view's first frame was taken."""
    start_ns = sample.view_times_ns[sample.master_view][0]
    frame = int(np.searchsorted(sample.view_times_ns[camera], start_ns, side="right")) - 1
    picture: Pixels = decode_clip(sample.views[camera], frames=[max(frame, 0)])[0]
    return picture


def recorded_actions(sample: EventSample, times_s: Floats) -> Floats:
    """What was commanded, as displacements, at these times after the event's first frame; float64 [K, 20]."""
    relative = sample.relative_action()
    assert relative is not None
    assert sample.action_times_ns is not None
    assert sample.action_valid_T is not None
    start_ns = sample.view_times_ns[sample.master_view][0]
    own_s = (sample.action_times_ns[sample.action_valid_T] - start_ns) / 1e9
    return np.stack([np.interp(times_s, own_s, column) for column in relative[sample.action_valid_T].T], axis=1)


def _draw(policy: WallWMPolicy, sample: EventSample, chunk: ActionChunk, true_K20: Floats, out: Path) -> None:
    assert chunk.video is not None
    shown = shown_whole(sample, policy.config.data)
    cameras = {
        camera: {
            "recorded": resized(shown.pixels[camera], imagined),
            "through the codec": kept(shown.pixels[camera], imagined, policy),
            "imagined": imagined,
        }
        for camera, imagined in chunk.video.items()
    }
    title = f"{sample.caption or sample.event_id} ({chunk.duration_s:.1f} s)"
    n_frames = len(next(iter(chunk.video.values())))
    (out / f"{sample.event_id}.mp4").write_bytes(clip(cameras, n_frames / chunk.duration_s))
    (out / f"{sample.event_id}.png").write_bytes(png(filmstrip(cameras, title)))
    known_20, valid_K = chunk.known_20 & sample.known_20, np.ones(len(chunk.times_s), np.bool_)
    plot = action_plot(chunk.times_s, true_K20, chunk.actions_20, known_20, valid_K, title)
    (out / f"{sample.event_id}-actions.png").write_bytes(png(plot))


def resized(recorded: Pixels, imagined: Pixels) -> Pixels:
    """The recording in as few pixels as the model has, so that neither is compared by its sharpness."""
    height, width = imagined.shape[1:3]
    small = [cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in recorded]
    return np.stack(small)


def kept(recorded: Pixels, imagined: Pixels, policy: WallWMPolicy) -> Pixels:
    """What the codec keeps of the recording: as good as anything the model imagines can look."""
    height, width = imagined.shape[1:3]
    latents_FCHW, _ = seen_view(recorded, policy.config.data, policy.inputs.codec)
    return policy.inputs.codec.decode(latents_FCHW)[:, :height, :width]


def _numbers(policy: WallWMPolicy, sample: EventSample, chunk: ActionChunk, true_K20: Floats) -> dict[str, Any]:
    stats, known_20 = policy.embodiment.stats, chunk.known_20 & sample.known_20
    error = (stats.normalise(chunk.actions_20) - stats.normalise(true_K20))[:, known_20]
    return {
        "event_id": sample.event_id,
        "text": sample.caption,
        "duration_s": chunk.duration_s,
        "actions": len(chunk.actions_20),
        "action_mse": float(np.square(error).mean()),
        "mode": policy.sampling.mode,
        "steps": policy.sampling.steps,
    }
