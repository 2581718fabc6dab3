"""Canaries: questions with known answers that ride along, because a server can be up and blind.

A model that lost its vision tower, a proxy that drops pictures, a server that mixes up answers: all of them return
well-formed JSON. So now and then a sheet of coloured discs is drawn from the id of the window it rides with, in the
form of a contact sheet, and asked about. No data is shipped, no two canaries are alike, and a re-run finds it in the
cache together with its window. A wrong answer raises `CanaryError`, which is a service's fault: the run ends. It is
kept like any other, and so bars the way to what else was answered blindly, until the recipe names another revision.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from annotators.vlm.answer import Part, list_of, one_of, read, record, schema_text
from annotators.vlm.conversation import Talk
from annotators.vlm.draft import Problem
from annotators.vlm.prompt import Prompt
from annotators.vlm.request import Answer, Call, Refusal, Request
from annotators.vlm.tile import Tile, TileSize, encoded, grid
from pipeline.errors import ServiceError
from schemas.identity import digest

ONE_IN = 20
"""Windows per canary: 0.05 calls more per window."""
COLOURS = {
    "red": (40, 40, 220), "green": (60, 170, 40), "blue": (220, 80, 30), "yellow": (30, 220, 240),
    "black": (10, 10, 10), "white": (250, 250, 250),
}  # fmt: skip
"""Blue, green, red; no two are confused by anybody who sees."""
TILES, MOST_DISCS = 4, 3
_LEAST_COLOURS, _LEAST_COUNTS = 3, 2
"""Of four tiles; who guesses gets there about once in a hundred times, and a run has many canaries."""
_SIZE = TileSize(192, 160, 20)
_GREY = (128, 128, 128)


class CanaryError(ServiceError):
    """A server answers questions whose answers are known, and answers them wrong."""


@dataclass(frozen=True)
class Canary:
    """One drawn sheet and what is on it."""

    name: str
    jpeg: bytes
    truth: tuple[tuple[str, int], ...]
    """Colour and number of discs, tile by tile."""


class TileAnswer(Part):
    """One tile."""

    id: str
    colour: str
    discs: int


class CanaryAnswer(Part):
    """The whole answer."""

    tiles: tuple[TileAnswer, ...]


def rides_along(window_id: str, one_in: int = ONE_IN) -> bool:
    """Whether a window carries a canary; decided by its id alone, so by nobody's order of work."""
    return one_in > 0 and int(digest("canary", window_id)[:12], 16) % one_in == 0


def draw_canary(name: str) -> Canary:
    """The canary of a window."""
    rng = np.random.default_rng(int(digest("canary", name)[:15], 16))
    tiles, truth = [], []
    for number in range(1, TILES + 1):
        colour = list(COLOURS)[int(rng.integers(len(COLOURS)))]
        discs = int(rng.integers(1, MOST_DISCS + 1))
        truth.append((colour, discs))
        tiles.append(Tile(_discs(rng, COLOURS[colour], discs), "", f"T{number}"))
    return Canary(name, encoded(grid(tiles, 2, _SIZE)), tuple(truth))


def _discs(rng: np.random.Generator, colour: tuple[int, int, int], count: int) -> bytes:
    """Discs side by side, so that they never touch."""
    picture = np.full((_SIZE.height - _SIZE.bar, _SIZE.width - 2, 3), _GREY, np.uint8)
    place = picture.shape[1] // MOST_DISCS
    for column in rng.permutation(MOST_DISCS)[:count].tolist():
        y = int(rng.integers(40, picture.shape[0] - 40))
        cv2.circle(picture, (column * place + place // 2, y), 24, colour, -1, cv2.LINE_AA)
    return encoded(picture)


def canary_request(canary: Canary, *, model: str, prompt: Prompt) -> Request:
    """The question."""
    names = [f"T{number}" for number in range(1, TILES + 1)]
    discs = {"type": "integer", "minimum": 0, "maximum": 9}
    tile = record({"id": one_of(names), "colour": one_of([*COLOURS, "none"]), "discs": discs})
    return Request(
        call=Call.CANARY,
        subject=canary.name,
        model=model,
        system=prompt.text,
        images=(canary.jpeg,),
        text="Name colour and number of the discs of every tile.",
        schema=schema_text(record({"tiles": list_of(tile, TILES, least=TILES)})),
        max_tokens=150,
    )


def check_canary(canary: Canary, reply: Answer | Refusal) -> None:
    """Raises CanaryError unless the answer is good enough to have been seen."""
    answer = read(CanaryAnswer, reply)
    if isinstance(answer, Problem):
        raise CanaryError(_message(canary, answer.text))
    said = {tile.id: tile for tile in answer.tiles}
    pairs = [(truth, said.get(f"T{number}")) for number, truth in enumerate(canary.truth, start=1)]
    colours = sum(tile is not None and tile.colour == colour for (colour, _), tile in pairs)
    counts = sum(tile is not None and tile.discs == discs for (_, discs), tile in pairs)
    if colours < _LEAST_COLOURS or counts < _LEAST_COUNTS:
        raise CanaryError(_message(canary, f"{colours} of {TILES} colours and {counts} of {TILES} counts are right"))


def _message(canary: Canary, found: str) -> str:
    wanted = ", ".join(f"{discs} {colour}" for colour, discs in canary.truth)
    return (
        f"canary of {canary.name}: {found}; expected {wanted}. The model does not see what it is sent, so none of its "
        "answers can be trusted: check that the server loads the vision weights and passes pictures on, then give "
        "caption.by.revision another value, because what it answered without seeing is kept under this one"
    )


def canary_talk(canary: Canary, *, model: str, prompt: Prompt) -> Talk[None]:
    """A canary as a conversation, to ride along with those of windows. Raises CanaryError when it is answered wrong."""
    check_canary(canary, (yield canary_request(canary, model=model, prompt=prompt)))
