"""Events to packed tokens: several events in one sequence, and who sees whom.

An `Example` is one event as arrays, ready for the model but before any noise. A `Batch` is several of them laid
end to end, ordered (event, view, frame, row, column), with the segments of every attention site. Nothing is padded;
an event's tokens can only ever meet tokens of the same event, because segments are all there is.

Each event has two timestep rows: 2e for what is clean (observed frame, state), 2e + 1 for what is noised. The action
side may hold several draws of every event, each with its own state token, noise and rows (wall_wm.md §3.6: K = 6): all
of an event's draws read the one video the pack holds of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trainer.attend import Segments, segments_of
from trainer.captions import CaptionFeatures
from trainer.model.views import ViewTokens
from trainer.story import Sight, Story

PATCH = 2
"""Latent cells per side of a token: Wan's patch (1, 2, 2)."""


@dataclass(frozen=True, eq=False)
class Example:
    """One event: clean latents of every view, the words of its caption, its state and actions, all normalised."""

    event_id: str
    embodiment: str
    latents_VFCHW: Tensor
    """float32; H and W even."""
    picture_VHW: Tensor
    """bool: latent cells that show the recording; the rest is border and never in the loss."""
    words: tuple[int, ...]
    raw_frames: int
    """Frames of the recording the event spans, which the caption's drop rate depends on."""
    state_A: Tensor
    state_known_A: Tensor
    """bool: dimensions this embodiment has."""
    actions_KA: Tensor
    """float32; K = 0 for events without actions."""
    action_known_A: Tensor
    valid_K: Tensor
    """bool: rows whose record is trusted."""
    tau_K: Tensor
    """int64: ⌊k/K_p⌋ + 1, the latent frame an action leads into."""
    visible_FNN: Tensor | None = None
    """bool: which of the N tokens of a latent frame, ordered (view, row, column), may see each other across views
    (`trainer.sight`); F = 1 where no camera moves. None: all may."""
    features: CaptionFeatures | None = None
    """Its caption as a frozen text encoder reads it; then there are no ``words``. None: the model looks words up."""
    history: int = 0
    """Latent frames before the observation: clean as it is, and not in the loss. The state is the observation's."""
    story: Story | None = None
    """What is said around it; None where nobody asks."""

    @property
    def n_tokens(self) -> int:
        """Of video and action side together: what a pack's budget counts."""
        return self.n_video + 1 + len(self.actions_KA)

    @property
    def n_video(self) -> int:
        views, frames, _, height, width = self.latents_VFCHW.shape
        return views * frames * (height // PATCH) * (width // PATCH)


@dataclass(frozen=True, eq=False)
class VideoTokens:
    """The packed video side."""

    clean_TP: Tensor
    mask_TP: Tensor
    """bool: counted in the loss; neither observed nor border."""
    observed_T: Tensor
    """bool: the observation's latent frame and those before it, always clean."""
    observed_O: Tensor
    """int64: where the tokens of ``observed_T`` stand."""
    event_T: Tensor
    row_T: Tensor
    position_T3: Tensor
    """int64: frame, row, column. The frame is the time index τ too."""
    within: Segments
    views: ViewTokens | None
    """None when no event has several views."""
    window_T: Tensor | None = None
    """int64: latent frames after the observation, negative before it; None when no event has history."""


@dataclass(frozen=True, eq=False)
class TextTokens:
    """The packed captions."""

    word_S: Tensor
    """int64; empty where there are features."""
    features_SC: Tensor | None
    """float32: what a frozen text encoder made of the captions; None: words are looked up."""
    read_by: Segments
    """Video tokens of an event over its words, or over its features."""


@dataclass(frozen=True, eq=False)
class ActionTokens:
    """The packed action side: per event, per action draw, its state token, then its actions."""

    clean_SA: Tensor
    known_SA: Tensor
    mask_SA: Tensor
    """bool: counted in the loss; an action, of a valid row, in a known dimension."""
    observed_S: Tensor
    """bool: the state tokens."""
    event_S: Tensor
    row_S: Tensor
    """int64: 2d for the state and 2d + 1 for the actions of draw d, counted over the whole pack."""
    place_S: Tensor
    tau_S: Tensor
    state_D: Tensor
    """int64: where each draw's state token stands."""
    draws: int
    """Of each event."""
    within: Segments
    to_state: Segments
    to_video: Segments
    to_observed: Segments
    """Over the tokens of ``VideoTokens.observed_O`` alone."""


@dataclass(frozen=True, eq=False)
class Batch:
    """A pack of events."""

    n_events: int
    video: VideoTokens
    text: TextTokens
    action: ActionTokens


def patches_of(latents_FCHW: Tensor) -> Tensor:
    """[F, C, H, W] to tokens [F·H/2·W/2, 4·C], numbers of a patch ordered (channel, row, column)."""
    frames, channels, height, width = latents_FCHW.shape
    grid = latents_FCHW.reshape(frames, channels, height // PATCH, PATCH, width // PATCH, PATCH)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels * PATCH * PATCH)


def latents_from(patches_TP: Tensor, shape_VFCHW: tuple[int, int, int, int, int]) -> Tensor:
    """The inverse of `patches_of` for the views of one event."""
    views, frames, channels, height, width = shape_VFCHW
    grid = patches_TP.reshape(views, frames, height // PATCH, width // PATCH, channels, PATCH, PATCH)
    return grid.permute(0, 1, 4, 2, 5, 3, 6).reshape(shape_VFCHW)


def pack(examples: Sequence[Example], action_draws: int = 1) -> Batch:
    """Lay the examples end to end, the action side of each ``action_draws`` times.

    Raises ValueError for an empty pack or latents that do not divide into patches.
    """
    if not examples:
        raise ValueError("a pack needs at least one event")
    for example in examples:
        height, width = example.latents_VFCHW.shape[-2:]
        if height % PATCH or width % PATCH:
            raise ValueError(f"{example.event_id}: {height}×{width} latent cells do not divide into {PATCH}×{PATCH}")
    video_lengths = [example.n_video for example in examples]
    return Batch(
        n_events=len(examples),
        video=_video(examples),
        text=_text(examples, video_lengths),
        action=_action(examples, video_lengths, action_draws),
    )


def _event_index(lengths: Sequence[int]) -> Tensor:
    return torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))


def _text(examples: Sequence[Example], video_lengths: Sequence[int]) -> TextTokens:
    features = [example.features.padded() for example in examples if example.features is not None]
    if not features:
        words = torch.tensor([word for example in examples for word in example.words])
        return TextTokens(words, None, segments_of(video_lengths, [len(example.words) for example in examples]))
    if len(features) != len(examples):
        raise ValueError(f"{len(features)} of {len(examples)} events have caption features, expected all or none")
    read_by = segments_of(video_lengths, [len(each) for each in features])
    return TextTokens(torch.zeros(0, dtype=torch.int64), torch.cat(features), read_by)


def _positions(example: Example) -> tuple[Tensor, Tensor]:
    """Frame, row, column [T, 3] and view [T] of one event's tokens."""
    views, frames, _, height, width = example.latents_VFCHW.shape
    axes = [torch.arange(n) for n in (views, frames, height // PATCH, width // PATCH)]
    places_T4 = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 4)
    return places_T4[:, 1:], places_T4[:, 0]


def _video(examples: Sequence[Example]) -> VideoTokens:
    clean, counted = [], []
    for example in examples:
        _, frames, channels, _, _ = example.latents_VFCHW.shape
        for latents_FCHW, picture_HW in zip(example.latents_VFCHW, example.picture_VHW, strict=True):
            clean.append(patches_of(latents_FCHW))
            counted.append(patches_of(picture_HW.expand(frames, channels, -1, -1)))
    places = [_positions(example) for example in examples]
    position_T3 = torch.cat([position for position, _ in places])
    event_T = _event_index([example.n_video for example in examples])
    history_E = torch.tensor([example.history for example in examples])
    after_T = position_T3[:, 0] - history_E[event_T]
    observed_T = after_T <= 0
    return VideoTokens(
        clean_TP=torch.cat(clean),
        mask_TP=torch.cat(counted) & ~observed_T[:, None],
        observed_T=observed_T,
        observed_O=torch.nonzero(observed_T)[:, 0],
        event_T=event_T,
        row_T=2 * event_T + (~observed_T).long(),
        position_T3=position_T3,
        within=segments_of([len(part) for part in clean]),
        views=_view_tokens(examples, places),
        window_T=after_T if any(example.history for example in examples) else None,
    )


def _view_tokens(examples: Sequence[Example], places: Sequence[tuple[Tensor, Tensor]]) -> ViewTokens | None:
    order, positions, views, lengths, start = [], [], [], [], 0
    masks: list[Tensor | None] = []
    for example, (position_T3, view_T) in zip(examples, places, strict=True):
        n_views, n_frames = example.latents_VFCHW.shape[:2]
        if n_views > 1:
            # A stable sort by frame turns (view, frame, row, column) into (frame, view, row, column).
            by_frame = torch.sort(position_T3[:, 0], stable=True).indices
            order.append(start + by_frame)
            positions.append(position_T3[by_frame])
            views.append(view_T[by_frame])
            lengths += [example.n_video // n_frames] * n_frames
            masks += _masks(example, n_frames)
        start += example.n_video
    if not order:
        return None
    segments = segments_of(lengths)
    seen = None if all(mask is None for mask in masks) else tuple(masks)
    return ViewTokens(torch.cat(order), torch.cat(positions), torch.cat(views), segments, seen)


def _masks(example: Example, n_frames: int) -> list[Tensor | None]:
    visible = example.visible_FNN
    if visible is None:
        return [None] * n_frames
    return [visible[min(frame, len(visible) - 1)] for frame in range(n_frames)]


def _action(examples: Sequence[Example], video_lengths: Sequence[int], draws: int) -> ActionTokens:
    drawn = [example for example in examples for _ in range(draws)]
    lengths = [1 + len(example.actions_KA) for example in drawn]
    draw_S = _event_index(lengths)
    place_S = torch.cat([torch.arange(length) for length in lengths])
    observed_S = place_S == 0
    queries = [draws * length for length in lengths[::draws]]
    known_SA = torch.cat([_known_rows(example) for example in drawn])
    valid_S = torch.cat([torch.cat([torch.tensor([False]), example.valid_K]) for example in drawn])
    return ActionTokens(
        clean_SA=torch.cat([torch.cat([example.state_A[None], example.actions_KA]) for example in drawn]),
        known_SA=known_SA,
        mask_SA=known_SA & valid_S[:, None],
        observed_S=observed_S,
        event_S=draw_S // draws,
        row_S=2 * draw_S + (~observed_S).long(),
        place_S=place_S,
        tau_S=torch.cat([torch.cat([torch.tensor([0]), example.tau_K]) for example in drawn]),
        state_D=torch.nonzero(observed_S)[:, 0],
        draws=draws,
        within=segments_of(lengths),
        to_state=segments_of(lengths, [1] * len(drawn)),
        to_video=segments_of(queries, video_lengths),
        to_observed=segments_of(queries, [example.n_video // example.latents_VFCHW.shape[1] for example in examples]),
    )


def _known_rows(example: Example) -> Tensor:
    rows = len(example.actions_KA)
    return torch.cat([example.state_known_A[None], example.action_known_A.expand(rows, -1)])


def asked_at_the_end(example: Example) -> Example | None:
    """The question of somebody who has just carried the event out: what is next, or is it over?

    None where the window does not reach the event's end. Of its pictures the last latent is seen, which shows the last
    few frames; text features of what follows are not taught here, as it has a window of its own.
    """
    story = example.story
    if story is None or story.end is None or not story.now:
        return None
    end = story.end
    later = replace(
        story,
        before=(*story.before, story.now),
        now=story.after[0] if story.after else "",
        after=story.after[1:],
        remaining_s=end.next_s,
        words=(),
        pictures=end.pictures,
        elapsed_s=0.0,
        over=not story.after,
        end=None,
    )
    return replace(example, latents_VFCHW=example.latents_VFCHW[:, -1:], history=0, state_A=end.state_A, story=later)


def sight_of(examples: Sequence[Example]) -> Sight:
    """What a conditioner is shown of a pack: the observed latents of every view, and the states."""
    patches, places, counts = [], [], []
    for example in examples:
        now_VCHW = example.latents_VFCHW[:, example.history]
        views, _, height, width = now_VCHW.shape
        axes = [torch.arange(n) for n in (views, height // PATCH, width // PATCH)]
        patches.append(patches_of(now_VCHW))
        places.append(torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3))
        counts.append(len(patches[-1]))
    return Sight(
        patch_TP=torch.cat(patches),
        place_T3=torch.cat(places),
        patches=tuple(counts),
        state_EA=torch.stack([example.state_A for example in examples]),
        known_EA=torch.stack([example.state_known_A for example in examples]),
    )
