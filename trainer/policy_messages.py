"""What client and server of a policy say to each other: observations in, action chunks out, and where they are wrong.

Keys are those of openpi's clients where those have one. Every key is checked here, so that a wrong message is an error
that says which key, what was found and what was expected, and never an array operation that fails somewhere below.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from schemas.array import Bools
from schemas.displacement import ACTION_DIMS, absolute_from
from trainer.next_event import Durations, PastEvent
from trainer.policy import ActionChunk, Observation, WallWMPolicy
from trainer.sampling import Sampling

PROTOCOL = 1
LONGEST_S = 600.0
"""Longer events are a slip of the decimal point."""
KEYS = (
    "images",
    "state",
    "state_known",
    "prompt",
    "prompt_vectors",
    "task",
    "past",
    "planner",
    "duration_s",
    "seed",
    "video",
)


@dataclass(frozen=True, eq=False)
class Asked:
    """One request, checked."""

    observation: Observation
    duration_s: float | None
    """None: a planner says how long, as it says what."""
    seed: int
    video: bool
    task: str | None = None
    """What a planner is to plan the next event of; None: the prompt is the event."""
    past: tuple[PastEvent, ...] = ()
    planner: str | None = None
    """Which of the server's planners; None: its first."""

    def sampling(self, usual: Sampling) -> Sampling:
        """The policy's own, with the video where it was asked for."""
        return replace(usual, video=usual.video or self.video)


def metadata_of(policy: WallWMPolicy, step: int, *, plans: Sequence[str] = ()) -> dict[str, Any]:
    """What the server says of itself when a client connects."""
    body, sampling = policy.embodiment, policy.sampling
    return {
        "server": "joinery",
        "protocol": PROTOCOL,
        "configuration": policy.config.name,
        "step": step,
        "embodiment": body.group,
        "cameras": list(policy.cameras),
        "control_hz": body.control_hz,
        "fps": body.fps,
        "durations_s": dict(body.durations_s),
        "action_known": body.stats.known_20,
        "state_known": body.stats.state_known_20,
        "sampling": {"mode": sampling.mode, "steps": sampling.steps, "anchor": sampling.anchor},
        "observation": list(KEYS),
        "plans": list(plans),
    }


def asked_of(message: Any, durations: Durations) -> Asked:
    """A client's message. Raises ValueError naming the key that is wrong."""
    if not isinstance(message, Mapping):
        raise ValueError(f"an observation: found {type(message).__name__}, expected a map with {', '.join(KEYS)}")
    unknown = sorted(str(key) for key in message if key not in KEYS)
    if unknown:
        raise ValueError(f"{unknown[0]}: no such key; expected {', '.join(KEYS)}")
    text = message.get("prompt", "")
    if not isinstance(text, str):
        raise ValueError(f"prompt: found {type(text).__name__}, expected text")
    state_20 = _vector(message, "state", np.float32)
    known_20: Bools = np.isfinite(state_20)
    if "state_known" in message:
        known_20 = _vector(message, "state_known", np.bool_)
    seed = _number(message, "seed", 0)
    if not float(seed).is_integer():
        raise ValueError(f"seed: found {seed}, expected a whole number")
    observation = Observation(_pictures(message), state_20, known_20, text, _vectors(message))
    task = message.get("task")
    planner = message.get("planner")
    if planner is not None and (not isinstance(planner, str) or task is None):
        raise ValueError("planner: expected its name, beside the task it plans")
    if task is not None and (not isinstance(task, str) or "prompt" in message or "duration_s" in message):
        raise ValueError("task: expected text, and neither prompt nor duration_s beside it: the planner says them")
    duration_s = None if task is not None else _duration(message, text, durations)
    return Asked(observation, duration_s, int(seed), bool(message.get("video", False)), task, _past(message), planner)


def _duration(message: Mapping[str, Any], text: str, durations: Durations) -> float:
    duration_s = _number(message, "duration_s") if "duration_s" in message else durations.of(text)
    if not 0.0 < duration_s <= LONGEST_S:
        raise ValueError(f"duration_s: found {duration_s}, expected more than 0 and at most {LONGEST_S:.0f} seconds")
    return duration_s


def _past(message: Mapping[str, Any]) -> tuple[PastEvent, ...]:
    past = message.get("past", [])
    if not isinstance(past, list) or not all(isinstance(text, str) for text in past):
        raise ValueError("past: expected a list of the texts of the events done so far")
    return tuple(PastEvent(text, 0.0) for text in past)


def _pictures(message: Mapping[str, Any]) -> dict[str, Any]:
    images = message.get("images")
    if not isinstance(images, Mapping) or not images:
        raise ValueError(f"images: found {type(images).__name__}, expected a map from camera to uint8 [H, W, 3]")
    for camera, picture in images.items():
        if not isinstance(camera, str) or not isinstance(picture, np.ndarray):
            raise ValueError(f"images: {camera!r} is {type(picture).__name__}, expected an array uint8 [H, W, 3]")
    return dict(images)


def _vector(message: Mapping[str, Any], key: str, dtype: type[np.generic]) -> Any:
    value = message.get(key)
    if value is None:
        raise ValueError(f"{key}: missing, expected {np.dtype(dtype).name} [{ACTION_DIMS}]")
    array = np.asarray(value)
    if array.shape != (ACTION_DIMS,) or array.dtype.kind not in "biuf":
        raise ValueError(
            f"{key}: found {array.dtype} {list(array.shape)}, expected {np.dtype(dtype).name} [{ACTION_DIMS}]"
        )
    return array.astype(dtype)


def _number(message: Mapping[str, Any], key: str, default: float | None = None) -> float:
    value = message.get(key, default)
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key}: found {value!r}, expected a number")
    return value


def _vectors(message: Mapping[str, Any]) -> torch.Tensor | None:
    value = message.get("prompt_vectors")
    if value is None:
        return None
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or value.ndim != 2 or not len(value):
        raise ValueError("prompt_vectors: expected an array of floats [S, width of the model's text], S ≥ 1")
    return torch.from_numpy(value.astype(np.float32))


def answer_of(chunk: ActionChunk, observation: Observation, infer_ms: float, waited_ms: float) -> dict[str, Any]:
    """What is sent back for an observation with its text."""
    answer: dict[str, Any] = {
        "prompt": observation.text,
        "actions": chunk.actions_20,
        "poses": absolute_from(chunk.actions_20, observation.state_20, chunk.known_20),
        "known": chunk.known_20,
        "times_s": chunk.times_s,
        "duration_s": chunk.duration_s,
        "server_timing": {"infer_ms": infer_ms, "waited_ms": waited_ms},
    }
    return answer if chunk.video is None else {**answer, "video": dict(chunk.video)}


def chunk_of(answer: Mapping[str, Any]) -> ActionChunk:
    """An answer as a chunk again, on the client's side. Raises KeyError for one that is none."""
    return ActionChunk(
        actions_20=answer["actions"],
        known_20=answer["known"],
        times_s=answer["times_s"],
        duration_s=float(answer["duration_s"]),
        video=answer.get("video"),
    )
