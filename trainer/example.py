"""From a window of an event to an `Example`: which frames, which actions, in what units.

A window is seen first frame to last, at 1 + 4k evenly spread instants (`pipeline.loader.frames`). Views on other
clocks show what was on their screen at the master view's instants; actions know by their times which latent frame they
lead to.
"""

import hashlib
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
from pipeline.loader.window import SeenClip, Window, frames_at
from schemas.array import Ints
from schemas.event import Level
from trainer.batch import Example
from trainer.captions import CaptionFeatures
from trainer.codec import Codec, codec_of
from trainer.configs import DataConfig, TrainConfig
from trainer.event_sight import canvas_of, sight_masks
from trainer.latent_cache import ViewLatents
from trainer.model.language import words_of
from trainer.stages import STAGES
from trainer.story import Closing, Story

_LAST_FRAMES = 1.5
"""From a window's last picture to the end of its event, at most, where it shows the end; rates are not quite steady."""


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
    clips: tuple[SeenClip, ...] = ()
    """What ``pixels`` shows, by content; empty where nobody asks a cache for it."""


def shown_whole(sample: EventSample, data: DataConfig) -> Shown:
    """A whole event, decoded here; what the loader does for windows of a plan."""
    times_ns = sample.view_times_ns[sample.master_view]
    count = frame_count(len(times_ns), data.max_frames, data.codec.time_stride)
    chosen = times_ns[even_indices(len(times_ns), count)]
    clips = tuple(_clip(sample, camera, chosen) for camera in list(sample.views)[: data.max_views])
    pixels = {clip.camera: decode_clip(sample.views[clip.camera], frames=clip.frames) for clip in clips}
    return Shown(sample, sample.n_frames, pixels, chosen, clips)


def _clip(sample: EventSample, camera: str, instants_ns: Ints) -> SeenClip:
    digest = hashlib.sha256(sample.views[camera]).hexdigest()
    return SeenClip(camera, digest, tuple(frames_at(sample.view_times_ns[camera], instants_ns)))


@dataclass(frozen=True, eq=False)
class Fitted:
    """The pictures of a window on their canvas."""

    canvas_VTHW3: Pixels
    sizes: tuple[tuple[int, int], ...]
    """Of each view's picture, in pixels; the rest is black."""


def fitted_views(shown: Shown | Window, data: DataConfig) -> Fitted:
    """Every view that is used, in whole cells of the codec."""
    views = [fitted_view(pixels, data) for pixels in list(shown.pixels.values())[: data.max_views]]
    return Fitted(np.stack([canvas for canvas, _ in views]), tuple(size for _, size in views))


def encoded(views: Fitted, codec: Codec) -> ViewLatents:
    """Latents of every view, one after the other: a VAE needs much memory, and no view's depend on another's."""
    return ViewLatents(torch.stack([codec.encode(view) for view in views.canvas_VTHW3]), views.sizes)


def example_of(
    shown: Shown | Window,
    stats: ActionStats | None,
    config: TrainConfig,
    views: ViewLatents | None = None,
    features: CaptionFeatures | None = None,
) -> Example:
    """One event, or a window of it, as the model reads it; ``stats`` of its embodiment, None without actions.

    ``views`` are its latents, where they come from elsewhere than the toy codec, and ``features`` its caption's. Raises
    ValueError naming the event when its views or actions cannot be used.
    """
    data, event = config.data, shown.event
    if views is None:
        views = encoded(fitted_views(shown, data), codec_of(data.codec, None, torch.device("cpu")))
    cameras = tuple(shown.pixels) or tuple(dict.fromkeys(clip.camera for clip in shown.clips))
    text, history = config.model.text, history_of(shown, config)
    ahead_ns = shown.times_ns[history * data.codec.time_stride :]
    now_ns = int(ahead_ns[0])
    control = _control(since(event, now_ns) if history else event, stats, ahead_ns, data)
    return Example(
        event_id=event.event_id,
        embodiment=event.embodiment,
        latents_VFCHW=views.latents_VFCHW,
        picture_VHW=torch.stack([_cells(size, data) for size in views.sizes]),
        words=words_of(event.caption, text.entries, text.max_words) if features is None else (),
        raw_frames=shown.n_frames,
        state_A=control.state_A,
        state_known_A=control.state_known_A,
        actions_KA=control.actions_KA,
        action_known_A=control.action_known_A,
        valid_K=control.valid_K,
        tau_K=control.tau_K,
        visible_FNN=sight_masks(
            event,
            dict(zip(cameras, views.sizes, strict=False)),
            shown.times_ns[:: data.codec.time_stride],
            canvas_of(data.height, data.width, data.codec),
            data.sight,
        ),
        features=features,
        history=history,
        story=story_of(shown, now_ns, config, stats),
    )


def history_of(shown: Shown | Window, config: TrainConfig) -> int:
    """How many latents lie before the window's observation: M in stages with windows, but one is left to foresee."""
    if not STAGES[config.stage].windows:
        return 0
    return max(min(config.model.history, config.data.codec.latent_frames(len(shown.times_ns)) - 2), 0)


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


def story_of(shown: Shown | Window, now_ns: int, config: TrainConfig, stats: ActionStats | None) -> Story | None:
    """What an event's own record says; its neighbours are known to the chronicle (`trainer.steps`)."""
    language, event = config.model.language, shown.event
    if language is None:
        return None
    text = config.model.text
    views = list(shown.pixels.values())[: config.data.max_views] if language.vlm else []
    return Story(
        instruction=event.instruction or event.captions.get(str(Level.TASK), ""),
        before=(),
        now=event.caption,
        after=(),
        remaining_s=(event.span.end_ns - now_ns) / 1e9,
        words=words_of(event.caption, text.entries, text.max_words),
        pictures=tuple(pixels[0] for pixels in views),
        elapsed_s=(now_ns - event.span.start_ns) / 1e9,
        end=_end(shown, stats, tuple(pixels[-1] for pixels in views)),
    )


def _end(shown: Shown | Window, stats: ActionStats | None, pictures: tuple[Pixels, ...]) -> Closing | None:
    """What is seen and measured at the event's end, where the window has it."""
    event, span = shown.event, shown.event.span
    last_ns = int(shown.times_ns[-1])
    if not span.end_ns - _LAST_FRAMES * (span.end_ns - span.start_ns) / span.n_frames <= last_ns < span.end_ns:
        return None
    if event.state_T20 is None or event.state_valid_T is None or not event.state_valid_T.any() or stats is None:
        return Closing(torch.zeros(len(event.known_20)), pictures)
    last_20 = event.state_T20[np.flatnonzero(event.state_valid_T)[-1]]
    return Closing(torch.from_numpy(stats.normalise_state(last_20)), pictures)


@dataclass(frozen=True, eq=False)
class _Control:
    """The action side of an example."""

    state_A: Tensor
    state_known_A: Tensor
    actions_KA: Tensor
    action_known_A: Tensor
    valid_K: Tensor
    tau_K: Tensor


def seen_view(pixels: Pixels, data: DataConfig, codec: Codec | None = None) -> tuple[Tensor, Tensor]:
    """One camera's latents [F, C, H, W] and the cells [H, W] its picture covers; ``codec`` where it has weights."""
    opened = codec or codec_of(data.codec, None, torch.device("cpu"))
    canvas, size = fitted_view(pixels, data)
    return opened.encode(canvas), _cells(size, data)


def fitted_view(pixels: Pixels, data: DataConfig) -> tuple[Pixels, tuple[int, int]]:
    """One camera's pictures on the canvas, in whole cells of the codec, and their size there."""
    height, width = fitted(pixels.shape[1], pixels.shape[2], data)
    canvas = np.zeros((len(pixels), data.height, data.width, 3), np.uint8)
    for picture, full in zip(canvas, pixels, strict=True):
        picture[:height, :width] = cv2.resize(full, (width, height), interpolation=cv2.INTER_AREA)
    return canvas, (height, width)


def _cells(size: tuple[int, int], data: DataConfig) -> Tensor:
    """Which latent cells [H, W] a picture of this size covers."""
    rows, columns = data.codec.cells(*size)
    picture_HW = torch.zeros(data.codec.cells(data.height, data.width), dtype=torch.bool)
    picture_HW[:rows, :columns] = True
    return picture_HW


def fitted(height: int, width: int, data: DataConfig) -> tuple[int, int]:
    """The largest size of this shape inside the canvas, in whole latent cells; what is left over is border."""
    scale = min(data.height / height, data.width / width)
    stride = data.codec.space_stride

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
    latent_count = data.codec.latent_frames(len(instants_ns))
    tau_K = time_indices(sample.action_times_ns[rows], int(instants_ns[0]), int(instants_ns[-1]), latent_count)
    return _Control(
        state_A=torch.from_numpy(stats.normalise_state(anchor)),
        state_known_A=torch.from_numpy(sample.state_known_20 & stats.state_known_20),
        actions_KA=torch.from_numpy(np.nan_to_num(stats.normalise(relative)[rows])),  # invalid rows may hold NaN
        action_known_A=torch.from_numpy(sample.known_20 & stats.known_20),
        valid_K=torch.from_numpy(sample.action_valid_T[rows]),
        tau_K=torch.from_numpy(tau_K),
    )
