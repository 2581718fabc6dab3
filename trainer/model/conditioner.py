"""What is to be done next, and for how long: a conditioner that looks at an observation and reads a question.

Two ways to understand, the same heads. `SmallEncoder` is trained with the rest and reads first latents, state and
words: what `tiny` has. `VlmInlet` takes the hidden states of a frozen vision-language model (`trainer.vlm`). Either
gives states at two depths: halfway, where a Staircase branches off (`trainer.model.staircase`), and at the top, for
the heads:

- **next event**: a causal decoder over bytes, teacher forced in training, greedy in inference;
- **remaining time**: log seconds, from the decoder's state once the caption is read and from how long it has been done
  already. So the time depends on what is to be done, whoever has said it: the head itself, a person, or another model;
- **features**: learned queries that answer with what the denoiser's text encoder would have said, so that the video
  tower can read the conditioner directly.

Time is in log seconds because events last from a fifth of a second to a minute and what counts is the relative error:
|log L̂ − log L| is |L̂ − L|/L where it is small, and over- and underestimates weigh alike. Nothing here shares a
parameter with the towers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, huber_loss

from trainer.attend import Masks, Segments, segments_of
from trainer.model.wan import EPS, Attention
from trainer.story import BEGIN, END, PAD, TOKENS, Answers, Asked, Foreign, Limits, Sight, StoryTokens

HUBER = 0.3
"""Of log seconds: beyond a third off, an error counts linearly, so that a pause in a recording does not rule."""


_CLOCK = 4
"""Numbers that say how long something has been done."""


@dataclass(frozen=True)
class LanguageConfig:
    """The conditioner and, on top of it, the Staircase."""

    width: int = 64
    heads: int = 4
    lower: int = 1
    """Layers below the branch."""
    upper: int = 2
    decoder: int = 2
    limits: Limits = field(default_factory=Limits)
    features: int = 32
    """Queries of the project-out head: the most words of a caption it can stand for."""
    latents: int = 4
    """K_c of the Staircase."""
    vlm: str = ""
    """Folder of a frozen vision-language model; empty: the small encoder."""
    vlm_width: int = 0
    vlm_layer: int = 0
    """Which of its hidden states is halfway."""


@dataclass(frozen=True, eq=False)
class Understood:
    """States of a pack, event after event."""

    halfway_SD: Tensor
    top_SD: Tensor
    lengths: tuple[int, ...]
    """Rows of each event."""
    slot_ED: Tensor | None
    """What a Staircase starts from: one more row of each event, halfway; None without one."""


class Layer(nn.Module):
    """Self-attention, cross-attention where there is something to read, feed-forward; each after a norm."""

    def __init__(self, width: int, heads: int, *, reads: bool = False) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width, eps=EPS), Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=EPS) if reads else None
        self.read = Attention(width, heads) if reads else None
        self.norm3 = nn.LayerNorm(width, eps=EPS)
        self.ffn = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))

    def forward(
        self,
        x_SD: Tensor,
        segments: Segments,
        masks: Masks | None = None,
        source: tuple[Tensor, Segments] | None = None,
    ) -> Tensor:
        h_SD = self.norm1(x_SD)
        x_SD = x_SD + self.attn(h_SD, h_SD, segments, masks=masks)
        if self.read is not None and self.norm2 is not None and source is not None:
            x_SD = x_SD + self.read(self.norm2(x_SD), *source)
        thought_SD: Tensor = self.ffn(self.norm3(x_SD))
        return x_SD + thought_SD


class SmallEncoder(nn.Module):
    """First latents, state and words to states."""

    def __init__(self, config: LanguageConfig, patch_numbers: int, dims: int, max_views: int) -> None:
        super().__init__()
        width = config.width
        self.patch = nn.Linear(patch_numbers, width)
        self.view = nn.Embedding(max_views, width)
        self.state = nn.Linear(2 * dims, width)
        self.word = nn.Embedding(config.limits.entries, width)
        self.kind = nn.Embedding(1 + config.limits.before, width)
        self.lower = nn.ModuleList(Layer(width, config.heads) for _ in range(config.lower))
        self.upper = nn.ModuleList(Layer(width, config.heads) for _ in range(config.upper))

    def forward(self, asked: Asked, sight: Sight, slot_D: Tensor | None) -> Understood:
        """States; a slot passes the lower layers with the rest, seeing all of its event and unseen by it."""
        x_SD, lengths = self._embed(asked, sight)
        segments, slot_ED = segments_of(lengths), None
        if slot_D is None:
            for layer in self.lower:
                x_SD = layer(x_SD, segments)
        else:
            woven = Woven(lengths, 1, x_SD.device)
            both_SD = woven.together(x_SD, slot_D.expand(len(lengths), 1, -1))
            for layer in self.lower:
                both_SD = layer(both_SD, woven.segments, woven.masks)
            x_SD, slot_ED = both_SD[woven.own], both_SD[woven.later_EK[:, 0]]
        halfway_SD = x_SD
        for layer in self.upper:
            x_SD = layer(x_SD, segments)
        return Understood(halfway_SD, x_SD, lengths, slot_ED)

    def _embed(self, asked: Asked, sight: Sight) -> tuple[Tensor, tuple[int, ...]]:
        width = self.word.embedding_dim
        view, row, column = sight.place_T3.unbind(dim=1)
        places_TD = torch.cat([waves(row, width // 2), waves(column, width - width // 2)], dim=1)
        patches_TD = self.patch(sight.patch_TP) + self.view(view) + places_TD
        known_EA = sight.known_EA.to(sight.state_EA.dtype)
        state_ED = self.state(torch.cat([sight.state_EA * known_EA, known_EA], dim=1))
        words_SD = self.word(asked.word_S2).sum(dim=1) + self.kind(asked.kind_S) + waves(asked.place_S, width)
        return joined(patches_TD.split(sight.patches), state_ED.split(1), words_SD.split(asked.lengths))


class VlmInlet(nn.Module):
    """States of a frozen vision-language model, brought to our width, and the robot's state beside them."""

    def __init__(self, config: LanguageConfig, dims: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.vlm_width, eps=EPS)
        self.halfway = nn.Linear(config.vlm_width, config.width)
        self.top = nn.Linear(config.vlm_width, config.width)
        self.state = nn.Linear(2 * dims, config.width)

    def forward(self, foreign: Foreign, sight: Sight) -> Understood:
        """The last token of a question has read everything before it: a Staircase starts from its state."""
        known_EA = sight.known_EA.to(sight.state_EA.dtype)
        state_ED = self.state(torch.cat([sight.state_EA * known_EA, known_EA], dim=1))
        halfway_SD, top_SD = self.halfway(self.norm(foreign.halfway_SV)), self.top(self.norm(foreign.top_SV))
        ends = torch.tensor(foreign.lengths, device=halfway_SD.device).cumsum(0) - 1
        slot_ED = halfway_SD[ends]
        halfway_SD, lengths = joined(state_ED.split(1), halfway_SD.split(foreign.lengths))
        top_SD, _ = joined(state_ED.split(1), top_SD.split(foreign.lengths))
        return Understood(halfway_SD, top_SD, lengths, slot_ED)


def joined(*parts: Sequence[Tensor]) -> tuple[Tensor, tuple[int, ...]]:
    """Parts of every event, one after the other, and how many rows each event then has."""
    events = [torch.cat(own) for own in zip(*parts, strict=True)]
    return torch.cat(events), tuple(map(len, events))


class Woven:
    """Rows of events with ``later`` rows after each: they see all of their event before them and are unseen by it."""

    def __init__(self, lengths: Sequence[int], later: int, device: torch.device) -> None:
        n = torch.tensor(lengths, device=device)
        starts = (n + later).cumsum(0) - later
        self.later_EK = starts[:, None] + torch.arange(later, device=device)
        """int64: where each event's later rows stand."""
        self.own = torch.ones(sum(lengths) + later * len(lengths), dtype=torch.bool, device=device)
        self.own[self.later_EK.flatten()] = False
        self.segments = segments_of([length + later for length in lengths])
        self.masks = [_unseen(length, later, device) for length in lengths]

    def together(self, x_SD: Tensor, later_EKD: Tensor) -> Tensor:
        """All rows in their places."""
        both_SD = x_SD.new_zeros(len(self.own), x_SD.shape[1])
        both_SD[self.own] = x_SD
        return both_SD.index_copy(0, self.later_EK.flatten(), later_EKD.flatten(0, 1).to(x_SD.dtype))


def _unseen(n: int, later: int, device: torch.device) -> Tensor:
    mask = torch.ones(n + later, n + later, dtype=torch.bool, device=device).tril()
    mask[:n, :n] = True
    return mask


def clock(elapsed_E: Tensor) -> Tensor:
    """How long something has been done, as a head can use it [E, 4]: whether at all, and on scales of 0.1 to 10 s."""
    scales = elapsed_E.new_tensor([0.1, 1.0, 10.0])
    return torch.cat([(elapsed_E > 0).to(elapsed_E)[:, None], torch.log1p(elapsed_E[:, None] / scales)], dim=1)


def waves(place_S: Tensor, width: int) -> Tensor:
    """Sines and cosines of whole numbers [S, width]."""
    half = (width + 1) // 2
    rate = torch.exp(-math.log(100.0) * torch.arange(half, device=place_S.device) / half)
    angles = place_S[:, None] * rate
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]


class Decoder(nn.Module):
    """A small causal language model over bytes that reads states."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.byte = nn.Embedding(TOKENS, config.width)
        self.layers = nn.ModuleList(Layer(config.width, config.heads, reads=True) for _ in range(config.decoder))
        self.norm = nn.LayerNorm(config.width, eps=EPS)
        self.head = nn.Linear(config.width, TOKENS)

    def forward(self, read_EL: Tensor, states_SD: Tensor, lengths: Sequence[int]) -> Tensor:
        """Hidden states [E, L, D] after each byte read; `head` makes logits of them."""
        n_events, n_bytes = read_EL.shape
        x_SD = self.byte(read_EL).flatten(0, 1)
        places = torch.arange(n_bytes, device=x_SD.device).repeat(n_events)
        x_SD = x_SD + waves(places, x_SD.shape[1])
        within = segments_of([n_bytes] * n_events)
        causal = torch.ones(n_bytes, n_bytes, dtype=torch.bool, device=x_SD.device).tril()
        source = states_SD, segments_of([n_bytes] * n_events, lengths)
        for layer in self.layers:
            x_SD = layer(x_SD, within, [causal] * n_events, source)
        out: Tensor = self.norm(x_SD).reshape(n_events, n_bytes, -1)
        return out

    @torch.no_grad()
    def write(self, states_SD: Tensor, lengths: Sequence[int], most: int) -> Tensor:
        """The likeliest next byte again and again: tokens [E, ≤ most]."""
        read_EL = torch.full((len(lengths), 1), BEGIN, device=states_SD.device)
        over_E = torch.zeros(len(lengths), dtype=torch.bool, device=states_SD.device)
        for _ in range(most):
            chosen_E = self.head(self(read_EL, states_SD, lengths)[:, -1]).argmax(dim=-1)
            read_EL = torch.cat([read_EL, torch.where(over_E, PAD, chosen_E)[:, None]], dim=1)
            over_E |= chosen_E == END
            if bool(over_E.all()):
                break
        return read_EL[:, 1:]


class Conditioner(nn.Module):
    """An encoder and the three heads."""

    def __init__(
        self, config: LanguageConfig, *, patch_numbers: int, dims: int, max_views: int, text_width: int
    ) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.encoder: SmallEncoder | VlmInlet
        if config.vlm:
            self.encoder = VlmInlet(config, dims)
        else:
            self.encoder = SmallEncoder(config, patch_numbers, dims, max_views)
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.decoder = Decoder(config)
        self.time = nn.Sequential(nn.Linear(width + _CLOCK, width), nn.GELU("tanh"), nn.Linear(width, 1))
        self.query = nn.Parameter(torch.randn(config.features, width) * 0.5)
        self.look = Attention(width, config.heads)
        self.project_out = nn.Linear(width, text_width)
        self.word_here = nn.Linear(width, 1)

    def understand(
        self, asked: Asked, sight: Sight, foreign: Foreign | None = None, slot_D: Tensor | None = None
    ) -> Understood:
        """States of a pack. Raises ValueError when a VLM's states are needed and not given."""
        understood: Understood
        if isinstance(self.encoder, SmallEncoder):
            understood = self.encoder(asked, sight, slot_D)
        elif foreign is None:
            raise ValueError("the conditioner reads a VLM's states and got none: compute them with trainer.vlm")
        else:
            understood = self.encoder(foreign, sight)
        return understood

    def hear(self, answers: Answers, understood: Understood) -> Tensor:
        """The decoder's hidden states [E, L, D] over these captions, teacher forced."""
        hidden: Tensor = self.decoder(answers.read_EL, self.norm(understood.top_SD), understood.lengths)
        return hidden

    def log_seconds(self, hidden_ELD: Tensor, last_E: Tensor, elapsed_E: Tensor) -> Tensor:
        """The time [E] it takes still to do what has been read, and been done for ``elapsed_E`` seconds."""
        rows = torch.arange(len(last_E), device=last_E.device)
        read_ED = hidden_ELD[rows, last_E]
        out: Tensor = self.time(torch.cat([read_ED, clock(elapsed_E).to(read_ED.dtype)], dim=1))[:, 0]
        return out

    def features(self, understood: Understood) -> tuple[Tensor, Tensor]:
        """For every query, a text feature [E, Q, text width] and the logit [E, Q] that there is a word."""
        n_events, n_queries = len(understood.lengths), len(self.query)
        query_SD = self.query.repeat(n_events, 1)
        segments = segments_of([n_queries] * n_events, understood.lengths)
        seen_SD = query_SD + self.look(query_SD, self.norm(understood.top_SD), segments)
        feature_SD = self.project_out(seen_SD)
        here_S = self.word_here(seen_SD)[:, 0]
        return feature_SD.reshape(n_events, n_queries, -1), here_S.reshape(n_events, n_queries)


@dataclass(frozen=True, eq=False)
class LanguageSums:
    """Losses summed over the events that count; to be divided by how many there are."""

    next_event: Tensor
    """Nats per byte, mean over an event's bytes."""
    remaining: Tensor
    """Huber of log seconds."""
    aligned: Tensor
    """Share of the text features not explained, and whether a word is there."""


def language_sums(
    conditioner: Conditioner, understood: Understood, story: StoryTokens, text_SD: Tensor
) -> LanguageSums:
    """``text_SD``: the text encoder's features of the captions; a target only, no gradient reaches it."""
    hidden_ELD = conditioner.hear(story.now, understood)
    log_E = conditioner.log_seconds(hidden_ELD, story.now.last_E, story.elapsed_E)
    target_E = story.remaining_E.clamp(min=1e-3).log()
    timed_E = huber_loss(log_E.float(), target_E, delta=HUBER, reduction="none")
    return LanguageSums(
        caption_sum(conditioner.decoder.head(hidden_ELD), story.now),
        (timed_E * story.timed_E).sum(),
        _aligned_sum(conditioner.features(understood), text_SD.detach(), story),
    )


def caption_sum(logits_ELB: Tensor, answers: Answers) -> Tensor:
    """Cross-entropy of what is written, mean over the bytes of an event, summed over events that have a caption."""
    nats_EL = cross_entropy(logits_ELB.float().flatten(0, 1), answers.written_EL.flatten(), reduction="none").reshape(
        answers.written_EL.shape
    )
    bytes_EL = answers.written_EL != PAD
    per_event_E = (nats_EL * bytes_EL).sum(dim=1) / bytes_EL.sum(dim=1).clamp(min=1)
    return per_event_E.sum()


def _aligned_sum(found: tuple[Tensor, Tensor], text_SD: Tensor, story: StoryTokens) -> Tensor:
    feature_EQD, here_EQ = found
    total = feature_EQD.new_zeros((), dtype=torch.float32)
    for event, target_SD in enumerate(torch.split(text_SD.float(), list(story.targets))):
        if not story.worded_E[event]:
            continue
        n = min(len(target_SD), feature_EQD.shape[1])
        missed = (feature_EQD[event, :n].float() - target_SD[:n]).square().sum()
        there = (torch.arange(feature_EQD.shape[1], device=here_EQ.device) < n).float()
        presence = nn.functional.binary_cross_entropy_with_logits(here_EQ[event].float(), there)
        total = total + missed / target_SD[:n].square().sum().clamp(min=1e-6) + presence
    return total


def words_there(feature_QD: Tensor, here_Q: Tensor) -> Tensor:
    """One event's text features [S, text width]: as many as there are words, at least one."""
    n = int((here_Q > 0).long().cumprod(dim=0).sum())
    return feature_QD[: max(n, 1)]
