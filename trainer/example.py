"""From a window of an event to an `Example`: which frames, which actions, in what units.

A window is seen first frame to last, at 1 + 4k evenly spread instants (`pipeline.loader.frames`). Views on other
clocks show what was on their screen at the master view's instants; actions know by their times which latent frame they
lead to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from pipeline.loader.decode import Pixels, decode_clip
from pipeline.loader.frames import even_indices, frame_count
from pipeline.loader.sample import EventSample
from pipeline.loader.stats import ActionStats
from pipeline.loader.window import Window
from schemas.array import Ints
from schemas.event import Level
from trainer import latents
from trainer.batch import Example
from trainer.configs import DataConfig, TrainConfig
from trainer.event_sight import sight_masks
from trainer.model.language import words_of
from trainer.stages import STAGES
from trainer.story import Story


def time_indices(times_ns: Ints, first_ns: int, last_ns: int, latent_frames: int) -> Ints:
    """τ of actions at ``times_ns`` in an event whose frames run from ``first_ns`` to ``last_ns``; int64 [K].

    Latent f ≥ 1 shows the f-th of ``latent_frames − 1`` equal parts, so τ = ⌊parts passed⌋ + 1, at most the last
    latent. With a steady control rate this is ⌊k/K_p⌋ + 1 for K_p actions per latent (wall_wm.md §3.5), in whole
    numbers, and it stays right when K_p is not one.
    """
    passed = (times_ns - first_ns) * (latent_frames - 1) // (last_ns - first_ns)
    clipped: Ints = np.clip(passed + 1, 1, latent_frames - 1)
    return clipped


@dataclass(frozen=True, eq=False)
class Shown:
    """What an example is made of: an event's record and control rows, and its pictures at 1 + 4k instants."""

    event: EventSample
    n_frames: int
    """Of the recording that the window spans; it is seen at fewer when it is long."""
    pixels: Mapping[str, Pixels]
    """Camera to RGB uint8 [1 + 4k, H, W, 3], master view first, every camera at the same instants."""
    times_ns: Ints
    """int64 [1 + 4k], on the episode clock."""


def shown_whole(sample: EventSample, data: DataConfig) -> Shown:
    """A whole event, decoded here; what the loader does for windows of a plan."""
    times_ns = sample.view_times_ns[sample.master_view]
    chosen = times_ns[even_indices(len(times_ns), frame_count(len(times_ns), data.max_frames, latents.TIME_STRIDE))]
    pixels = {camera: _decoded(sample, camera, chosen) for camera in list(sample.views)[: data.max_views]}
    return Shown(sample, sample.n_frames, pixels, chosen)


def _decoded(sample: EventSample, camera: str, instants_ns: Ints) -> Pixels:
    shown = np.searchsorted(sample.view_times_ns[camera], instants_ns, side="right") - 1
    return decode_clip(sample.views[camera], frames=np.maximum(shown, 0).tolist())


def example_of(shown: Shown | Window, stats: ActionStats | None, config: TrainConfig) -> Example:
    """One event, or a window of it, as the model reads it; ``stats`` of its embodiment, None without actions.

    Raises ValueError naming the event when its views or actions cannot be used.
    """
    data, event = config.data, shown.event
    history = history_of(shown, config)
    now_ns = int(shown.times_ns[history * latents.TIME_STRIDE])
    used = dict(list(shown.pixels.items())[: data.max_views])
    views = [seen_view(pixels, data) for pixels in used.values()]
    sizes = {camera: fitted(pixels.shape[1], pixels.shape[2], data) for camera, pixels in used.items()}
    ahead_ns = shown.times_ns[history * latents.TIME_STRIDE :]
    control = _control(since(event, now_ns) if history else event, stats, ahead_ns, data)
    return Example(
        event_id=event.event_id,
        embodiment=event.embodiment,
        latents_VFCHW=torch.stack([latents_FCHW for latents_FCHW, _ in views]),
        picture_VHW=torch.stack([picture_HW for _, picture_HW in views]),
        words=words_of(event.caption, config.model.text.entries, config.model.text.max_words),
        raw_frames=shown.n_frames,
        state_A=control.state_A,
        state_known_A=control.state_known_A,
        actions_KA=control.actions_KA,
        action_known_A=control.action_known_A,
        valid_K=control.valid_K,
        tau_K=control.tau_K,
        visible_FNN=sight_masks(event, sizes, shown.times_ns, (data.height, data.width), data.sight),
        history=history,
        story=story_of(shown, now_ns, config),
    )


def history_of(shown: Shown | Window, config: TrainConfig) -> int:
    """How many latents lie before the window's observation: M in stages with windows, but one is left to foresee."""
    if not STAGES[config.stage].windows:
        return 0
    return max(min(config.model.history, latents.latent_frames(len(shown.times_ns)) - 2), 0)


def since(event: EventSample, now_ns: int) -> EventSample:
    """The event with the action and state rows from an instant on."""
    if event.action_times_ns is None or event.action_T20 is None or event.action_valid_T is None:
        return event
    assert event.state_T20 is not None
    assert event.state_valid_T is not None
    rows = slice(int(np.searchsorted(event.action_times_ns, now_ns)), None)
    return replace(
        event,
        action_T20=event.action_T20[rows],
        action_valid_T=event.action_valid_T[rows],
        action_times_ns=event.action_times_ns[rows],
        state_T20=event.state_T20[rows],
        state_valid_T=event.state_valid_T[rows],
    )


def story_of(shown: Shown | Window, now_ns: int, config: TrainConfig) -> Story | None:
    """What an event's own record says; its neighbours are known to the chronicle (`trainer.steps`)."""
    language, event = config.model.language, shown.event
    if language is None:
        return None
    text = config.model.text
    pictures = [pixels[0] for pixels in list(shown.pixels.values())[: config.data.max_views]] if language.vlm else []
    return Story(
        instruction=event.instruction or event.captions.get(str(Level.TASK), ""),
        before=(),
        now=event.caption,
        after=(),
        remaining_s=(event.span.end_ns - now_ns) / 1e9,
        words=words_of(event.caption, text.entries, text.max_words),
        pictures=tuple(pictures),
    )


@dataclass(frozen=True, eq=False)
class _Control:
    """The action side of an example."""

    state_A: Tensor
    state_known_A: Tensor
    actions_KA: Tensor
    action_known_A: Tensor
    valid_K: Tensor
    tau_K: Tensor


def seen_view(pixels: Pixels, data: DataConfig) -> tuple[Tensor, Tensor]:
    """One camera's latents [F, C, H, W] and the cells [H, W] its picture covers."""
    height, width = fitted(pixels.shape[1], pixels.shape[2], data)
    canvas = np.zeros((len(pixels), data.height, data.width, 3), np.uint8)
    for picture, full in zip(canvas, pixels, strict=True):
        picture[:height, :width] = cv2.resize(full, (width, height), interpolation=cv2.INTER_AREA)
    stride = latents.SPACE_STRIDE
    picture_HW = torch.zeros(data.height // stride, data.width // stride, dtype=torch.bool)
    picture_HW[: height // stride, : width // stride] = True
    return latents.encode(canvas), picture_HW


def fitted(height: int, width: int, data: DataConfig) -> tuple[int, int]:
    """The largest size of this shape inside the canvas, in whole latent cells; what is left over is border."""
    scale = min(data.height / height, data.width / width)
    stride = latents.SPACE_STRIDE

    def cells(side: int, most: int) -> int:
        return min(max(round(side * scale / stride), 1) * stride, most)

    return cells(height, data.height), cells(width, data.width)


def _control(sample: EventSample, stats: ActionStats | None, instants_ns: Ints, data: DataConfig) -> _Control:
    relative, anchor = sample.relative_action(), sample.anchor_20()
    dims = len(sample.known_20)
    if sample.action_kind == "pseudo" and not data.pseudo_actions:
        relative = None
    if relative is None or anchor is None or sample.action_times_ns is None or sample.action_valid_T is None:
        zeros, unknown = torch.zeros(dims), torch.zeros(dims, dtype=torch.bool)
        none = torch.zeros(0, dtype=torch.int64)
        return _Control(zeros, unknown, torch.zeros(0, dims), unknown, none.bool(), none)
    if stats is None:
        raise ValueError(f"{sample.event_id}: the event has actions but no statistics to normalise them by")
    rows = even_indices(len(relative), data.max_actions)
    latent_count = latents.latent_frames(len(instants_ns))
    tau_K = time_indices(sample.action_times_ns[rows], int(instants_ns[0]), int(instants_ns[-1]), latent_count)
    return _Control(
        state_A=torch.from_numpy(stats.normalise_state(anchor)),
        state_known_A=torch.from_numpy(sample.state_known_20 & stats.state_known_20),
        actions_KA=torch.from_numpy(np.nan_to_num(stats.normalise(relative)[rows])),  # invalid rows may hold NaN
        action_known_A=torch.from_numpy(sample.known_20 & stats.known_20),
        valid_K=torch.from_numpy(sample.action_valid_T[rows]),
        tau_K=torch.from_numpy(tau_K),
    )
