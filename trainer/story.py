"""The words around a window: what a planner is asked with and what it should answer, as records and as tokens.

Asked at an observation, a planner says what is to be done now and how long it takes. So the answer is the caption of
the event the window lies in, and the time from the window's first instant to the event's end: the whole event where the
window starts with it, what is left of it where it starts inside. It is asked with the episode's instruction, with
what has been done before, with the first latents of every view and with the state. What follows is what a chain of
thought should tell.

Answers are UTF-8 bytes: no vocabulary to learn, to ship or to fall out of, whatever the language of the captions. What
is asked is words, each hashed to two rows of a table, so that two words hardly ever share both.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.loader.decode import Pixels

PAD, BEGIN, END = 0, 1, 2
"""Bytes follow: byte b is token b + 3."""
TOKENS = 3 + 256


@dataclass(frozen=True, eq=False)
class Story:
    """What is said around a window."""

    instruction: str
    before: tuple[str, ...]
    """Captions of what was done, the latest last."""
    now: str
    """The caption of what is done; empty where nobody has written one."""
    after: tuple[str, ...]
    """Captions of what follows, the next first."""
    remaining_s: float
    """From the window's first instant to the event's end."""
    words: tuple[int, ...] = ()
    """``now`` as the denoiser's text encoder reads it."""
    pictures: tuple[Pixels, ...] = ()
    """The first picture of every view, RGB uint8 [H, W, 3]; only where a VLM is to look at them."""
    elapsed_s: float = 0.0
    """How long it has been done already when it is asked: whoever acts knows that, and no picture need tell."""
    over: bool = False
    """Nothing is left to do: the answer ends before it has begun."""
    end: "Closing | None" = None
    """What is seen where the event ends; None where the window does not reach that far."""


@dataclass(frozen=True, eq=False)
class Closing:
    """An event's last instant, at which somebody who has carried it out asks again."""

    state_A: Tensor
    pictures: tuple[Pixels, ...] = ()
    """Of every view, as `Story.pictures`."""
    next_s: float = 0.0
    """How long the event that follows takes; 0 where none does, or nobody has looked."""


NO_STORY = Story("", (), "", (), 0.0)


@dataclass(frozen=True)
class Limits:
    """How much is told."""

    entries: int = 256
    """Rows of the table of words."""
    words: int = 24
    """Most words of the instruction, and of each caption before."""
    before: int = 3
    """Most events before."""
    after: int = 2
    """Most events after."""
    answer: int = 96
    """Most bytes of an answer."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What the questions of a pack say: words of all events, one event after the other."""

    word_S2: Tensor
    kind_S: Tensor
    """int64: 0 for words of the instruction, k for words of the k-th event ago."""
    place_S: Tensor
    """int64: which word of its sentence."""
    lengths: tuple[int, ...]
    """Words of each event; at least 1."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Captions as they are written, byte by byte."""

    read_EL: Tensor
    """int64: BEGIN, then bytes, then padding."""
    written_EL: Tensor
    """int64: bytes, END, padding; shifted by one against ``read_EL``."""
    last_E: Tensor
    """int64: where the caption has been read to its end."""
    counted_E: Tensor
    """bool: whether there is a caption."""


@dataclass(frozen=True, eq=False)
class StoryTokens:
    """The stories of a pack."""

    asked: Asked
    now: Answers
    chain: tuple[Answers, ...]
    """``now`` and what follows, event after event."""
    remaining_E: Tensor
    """float32, seconds."""
    timed_E: Tensor
    """bool: whether the time is known and more than none."""
    elapsed_E: Tensor
    """float32, seconds."""
    worded_E: Tensor
    """bool: whether the denoiser's text encoder has words for ``now``."""
    target_S: Tensor
    """int64: the words of ``now`` for the denoiser's text encoder, all events'."""
    targets: tuple[int, ...]
    """How many words of each event."""

    @property
    def n_events(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, eq=False)
class Sight:
    """What an encoder is shown of a pack's observations besides words: the first latents and the state."""

    patch_TP: Tensor
    """Tokens of the first latent of every view, event after event."""
    place_T3: Tensor
    """int64: view, row, column."""
    patches: tuple[int, ...]
    """Tokens of each event."""
    state_EA: Tensor
    known_EA: Tensor


@dataclass(frozen=True, eq=False)
class Foreign:
    """Hidden states of a frozen model over a pack's observations and questions, event after event."""

    halfway_SV: Tensor
    top_SV: Tensor
    lengths: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Question:
    """All that the conditioner is given of a pack, and what it should say."""

    story: StoryTokens
    sight: Sight
    foreign: Foreign | None = None
    """Where a frozen model has looked and read for it."""


def story_tokens(stories: Sequence[Story], limits: Limits) -> StoryTokens:
    """Tokens of a pack's stories."""
    now = answers([story.now for story in stories], limits.answer, [story.over for story in stories])
    later = [
        answers([story.after[place] if place < len(story.after) else "" for story in stories], limits.answer)
        for place in range(limits.after)
    ]
    words = [story.words or (0,) for story in stories]
    remaining_E = torch.tensor([story.remaining_s for story in stories], dtype=torch.float32)
    return StoryTokens(
        asked=asked(stories, limits),
        now=now,
        chain=(now, *later),
        remaining_E=remaining_E,
        timed_E=(remaining_E > 0) & now.counted_E,
        elapsed_E=torch.tensor([story.elapsed_s for story in stories], dtype=torch.float32),
        worded_E=now.counted_E & torch.tensor([bool(story.words) for story in stories]),
        target_S=torch.tensor([word for one in words for word in one]),
        targets=tuple(map(len, words)),
    )


def asked(stories: Sequence[Story], limits: Limits) -> Asked:
    """The questions; an event without a word gets the empty word."""
    words: list[tuple[int, int]] = []
    kinds: list[int] = []
    places: list[int] = []
    lengths: list[int] = []
    for story in stories:
        said = [(0, story.instruction), *((ago + 1, text) for ago, text in enumerate(reversed(story.before)))]
        n = 0
        for kind, text in said[: 1 + limits.before]:
            rows = word_rows(text, limits.entries, limits.words)
            words += rows
            kinds += [kind] * len(rows)
            places += range(len(rows))
            n += len(rows)
        if not n:
            words.append((0, 0))
            kinds.append(0)
            places.append(0)
        lengths.append(max(n, 1))
    return Asked(torch.tensor(words), torch.tensor(kinds), torch.tensor(places), tuple(lengths))


def word_rows(text: str, entries: int, limit: int) -> list[tuple[int, int]]:
    """Two rows 1 … entries − 1 for each of the first ``limit`` words; row 0 is the empty word's."""
    rows = []
    for word in re.findall(r"[\w']+", text.lower())[:limit]:
        digest = hashlib.blake2b(word.encode(), digest_size=16).digest()
        first, second = (1 + int.from_bytes(half, "little") % (entries - 1) for half in (digest[:8], digest[8:]))
        rows.append((first, second))
    return rows


def answers(captions: Sequence[str], limit: int, over: Sequence[bool] = ()) -> Answers:
    """Captions as bytes, cut after ``limit``; padded to the longest. No caption is none to learn from, unless all is
    ``over``: then to say nothing is the answer.
    """
    encoded = [caption.encode()[:limit] for caption in captions]
    longest = max(map(len, encoded)) + 1
    read_EL = torch.full((len(encoded), longest), PAD)
    written_EL = torch.full((len(encoded), longest), PAD)
    for row, said in enumerate(encoded):
        tokens = torch.tensor([byte + 3 for byte in said], dtype=torch.int64)
        read_EL[row, 0] = BEGIN
        read_EL[row, 1 : 1 + len(said)] = tokens
        written_EL[row, : len(said)] = tokens
        written_EL[row, len(said)] = END
    counted_E = torch.tensor([bool(said) for said in encoded])
    if over:
        counted_E |= torch.tensor(over)
    written_EL[~counted_E] = PAD
    return Answers(read_EL, written_EL, torch.tensor([len(said) for said in encoded]), counted_E)


def text_of(tokens: Sequence[int]) -> str:
    """What was written, up to END; bytes that are no UTF-8 are replaced."""
    said = bytes(token - 3 for token in _until_end(tokens) if token >= 3)
    return said.decode(errors="replace")


def _until_end(tokens: Sequence[int]) -> Sequence[int]:
    return tokens[: list(tokens).index(END)] if END in tokens else tokens
