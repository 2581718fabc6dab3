"""What a window costs, and how it is shown so that it costs no more than it may.

Tokens are estimated from what a request holds: image tokens by the rule of the Qwen processors (one per 28 or 32 pixel
square after rounding), text tokens by pieces (a digit, a run of letters, a run of signs). ``benchmarks/vlm_budget.py``
counts the same requests with the real vocabulary; docs/vlm.md has both numbers.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from annotators.vlm.tile import tile_size
from schemas.time import NS_PER_S

CALLS_PER_MINUTE = 2.3
TOKENS_PER_MINUTE = 16_000
"""events.md, "Budget"; for windows of a minute and more. A shorter episode still takes two calls."""
_PIECE = re.compile(r"\d|[A-Za-z]+|[^\sA-Za-z\d]+|\n")
_LETTERS_PER_TOKEN = 7.5
_IMAGE_FRAME = 2
"""Vision start and end."""
_MESSAGE = 10
"""Roles and separators of a chat of two messages."""


@dataclass(frozen=True)
class ImageRule:
    """How a processor turns pixels into tokens."""

    square_px: int = 32
    """Pixels per token side: 32 for Qwen3-VL, 28 for Qwen2.5-VL."""
    most_px: int = 16_384 * 32 * 32
    least_px: int = 256 * 256


@dataclass(frozen=True)
class Layout:
    """How a window is shown."""

    fps: float
    tile_px: int
    zooms: int
    verify_px: int
    other_fps: float
    """Of a second view; 0 for none."""
    verify_all: bool = True
    """False: the second call is asked only about events on which the first and the detector differ, or none."""


LAYOUTS = (
    Layout(2.0, 224, 8, 160, 0.5),
    Layout(2.0, 224, 8, 160, 0.0),
    Layout(2.0, 224, 4, 128, 0.0),
    Layout(2.0, 224, 0, 128, 0.0),
    Layout(2.0, 192, 0, 96, 0.0),
    Layout(1.5, 192, 0, 96, 0.0),
    Layout(2.0, 192, 0, 96, 0.0, verify_all=False),
    Layout(1.5, 192, 0, 96, 0.0, verify_all=False),
    Layout(1.0, 160, 0, 96, 0.0, verify_all=False),
    Layout(0.75, 160, 0, 96, 0.0, verify_all=False),
)
"""From the fullest to the barest; a window gets the first it can pay for."""


def image_tokens(width: int, height: int, rule: ImageRule) -> int:
    """Tokens of one picture (Qwen's ``smart_resize``: sides rounded to squares, area kept within bounds)."""
    square = rule.square_px
    w, h = max(square, round(width / square) * square), max(square, round(height / square) * square)
    if w * h > rule.most_px:
        scale = math.sqrt(width * height / rule.most_px)
        w = max(square, math.floor(width / scale / square) * square)
        h = max(square, math.floor(height / scale / square) * square)
    elif w * h < rule.least_px:
        scale = math.sqrt(rule.least_px / (width * height))
        w, h = math.ceil(width * scale / square) * square, math.ceil(height * scale / square) * square
    return (w // square) * (h // square)


def text_tokens(text: str) -> int:
    """About how many tokens a text is to Qwen: a digit is one, a word one or two, other scripts one a letter."""
    count = 0
    for piece in _PIECE.findall(text):
        if piece[0].isascii():
            count += max(1, round(len(piece) / _LETTERS_PER_TOKEN)) if piece[0].isalpha() else 1
        else:
            count += len(piece)
    return count


def request_tokens(system: str, text: str, sizes: Sequence[tuple[int, int]], rule: ImageRule) -> int:
    """Tokens of a prompt, pictures of these sizes included."""
    pictures = sum(image_tokens(width, height, rule) + _IMAGE_FRAME for width, height in sizes)
    return pictures + text_tokens(system) + text_tokens(text) + _MESSAGE


@dataclass(frozen=True)
class Cost:
    """Calls and tokens."""

    calls: float = 0.0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )

    @property
    def tokens(self) -> float:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class Density:
    """How much happens per minute of recording, as far as it is known before anything is cut."""

    actions: float = 30.0
    segments: float = 60.0
    """Both as the detector cuts real teleoperation; DROID has 35 and 75, G1 and GR-1 half of it, simulators more."""
    doubtful: float = 8.0


_SYSTEM_TREE, _SYSTEM_VERIFY = 560, 230
_TABLE_FULL, _TABLE_SHORT, _TABLE_HEAD = 32, 12, 60
_ROW, _SUBTASK, _ANSWER = 34, 24, 190
_ITEM, _ITEM_ANSWER, _VERIFY_HEAD = 38, 22, 20
_SUBTASKS_PER_ACTION = 0.3
_OPEN = 0.4
"""Share of actions that a sparing second call asks about; a guess until a trained model was measured."""
_CANARY_PX, _CANARY, _CANARY_ANSWER = (384, 320), 60, 80
_SENTENCES_PER_CALL, _REPHRASE_HEAD, _SENTENCE = 60, 90, 18
_RETRIES = 0.1
"""Share of windows whose first call is put again; more and the answers are not worth having."""


def window_cost(
    duration_s: float, aspect: float, layout: Layout, rule: ImageRule, density: Density | None = None
) -> Cost:
    """What one window costs on average, from its length alone."""
    density = Density() if density is None else density
    minutes = duration_s / 60
    actions, segments = density.actions * minutes, density.segments * minutes
    zooms = min(layout.zooms, density.doubtful * minutes)
    tiles = duration_s * layout.fps
    pictures = _tile_tokens(layout.tile_px, aspect, rule) * (tiles + 5 * zooms + duration_s * layout.other_fps)
    table = _TABLE_HEAD + _TABLE_FULL * actions + _TABLE_SHORT * max(0.0, segments - actions)
    tree_in = pictures + _SYSTEM_TREE + table
    tree_out = _ANSWER + actions * (_ROW + _SUBTASK * _SUBTASKS_PER_ACTION)
    asked = actions if layout.verify_all else actions * _OPEN
    verify_in = 3 * asked * _tile_tokens(layout.verify_px, aspect, rule) + _SYSTEM_VERIFY + _VERIFY_HEAD
    verify_in += _ITEM * asked
    tree = Cost(1.0 + _RETRIES, tree_in * (1 + _RETRIES), tree_out * (1 + _RETRIES))
    return tree + Cost(1.0, verify_in, _ITEM_ANSWER * asked)


def _tile_tokens(tile_px: int, aspect: float, rule: ImageRule) -> float:
    size = tile_size(tile_px, aspect)
    return size.width * size.height / rule.square_px**2


def layout_for(duration_s: float, aspect: float, rule: ImageRule, density: Density, tokens_per_minute: float) -> Layout:
    """The fullest layout a window can pay for; windows below a minute have the purse of a minute's share."""
    purse = _SAFE * tokens_per_minute * duration_s / 60
    for layout in LAYOUTS:
        if window_cost(duration_s, aspect, layout, rule, density).tokens <= purse:
            return layout
    return LAYOUTS[-1] if duration_s >= _LEAST_SPARING_S else LAYOUTS[1]


_SAFE = 0.94
"""Dense recordings cost up to 6 % more than they are estimated at (benchmarks/vlm_budget.py)."""
_LEAST_SPARING_S = 30.0
"""A shorter window cannot be cheap, since the prompts alone cost more than its share: it is at least shown well."""


def episode_cost(
    duration_s: float,
    aspect: float,
    rule: ImageRule,
    density: Density | None = None,
    *,
    longest_s: float = 90.0,
    tokens_per_minute: float = TOKENS_PER_MINUTE,
) -> Cost:
    """What an episode of a length costs, for ``joinery plan``; better with the density of trees that are there."""
    density = Density() if density is None else density
    if duration_s <= 0:
        return Cost()
    count = math.ceil(duration_s / longest_s - 1e-9)
    each_s = duration_s / count
    layout = layout_for(each_s, aspect, rule, density, tokens_per_minute)
    one = window_cost(each_s, aspect, layout, rule, density)
    return Cost(one.calls * count, one.prompt_tokens * count, one.completion_tokens * count)


def canary_cost(duration_s: float, rule: ImageRule, *, longest_s: float = 90.0, one_in: int) -> Cost:
    """What rides along with an episode's windows, on average."""
    if one_in < 1:
        return Cost()
    riding = math.ceil(duration_s / longest_s - 1e-9) / one_in
    prompt = image_tokens(*_CANARY_PX, rule) + _CANARY
    return Cost(riding, prompt * riding, _CANARY_ANSWER * riding)


def rephrase_cost(duration_s: float, density: Density, *, count: int, languages: int) -> Cost:
    """What other wordings of an episode's captions cost, if every caption is another."""
    if count < 1:
        return Cost()
    minutes = duration_s / 60
    sentences = 1 + minutes * (density.actions * (1 + _SUBTASKS_PER_ACTION) + density.segments)
    calls = math.ceil(sentences / _SENTENCES_PER_CALL)
    prompt = calls * _REPHRASE_HEAD + sentences * _SENTENCE
    return Cost(calls * languages, prompt * languages, sentences * _SENTENCE * count * languages)


def per_hour(cost: Cost, duration_ns: int) -> Cost:
    """A cost per hour of video."""
    hours = duration_ns / NS_PER_S / 3600
    return Cost(cost.calls / hours, cost.prompt_tokens / hours, cost.completion_tokens / hours)
