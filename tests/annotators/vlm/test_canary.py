"""Canaries: drawn, answerable by looking, and fatal when answered wrong."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotators.vlm.cache import CachedAsker
from annotators.vlm.canary import (
    COLOURS,
    ONE_IN,
    TILES,
    Canary,
    CanaryError,
    canary_request,
    canary_talk,
    check_canary,
    draw_canary,
    rides_along,
)
from annotators.vlm.conversation import converse
from annotators.vlm.prompt import load_prompt
from annotators.vlm.request import Answer, Call, Refusal, Request, Stop
from annotators.vlm.tile import decoded
from pipeline.blobs import Blobs
from pipeline.errors import ServiceError


def answer(canary: Canary, **wrong: object) -> str:
    tiles = [{"id": f"T{n}", "colour": colour, "discs": discs} for n, (colour, discs) in enumerate(canary.truth, 1)]
    for name, value in wrong.items():
        for tile in tiles:
            tile[name] = value  # type: ignore[assignment]
    return json.dumps({"tiles": tiles})


def reply(text: str) -> Answer:
    return Answer("", text, Stop.DONE, 1, 1, cached=False)


def seen(canary: Canary) -> tuple[tuple[str, int], ...]:
    """What is on the sheet, by looking: the nearest colour of connected blobs that are not grey."""
    import cv2

    sheet = decoded(canary.jpeg)
    found = []
    for number in range(TILES):
        row, column = divmod(number, 2)
        tile = sheet[row * 160 + 22 : (row + 1) * 160 - 2, column * 192 + 3 : (column + 1) * 192 - 3].astype(int)
        mask = (np.abs(tile - 128).max(axis=2) > 60).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        big = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] > 300]
        mean = tile[mask > 0].mean(axis=0)
        colour = min(COLOURS, key=lambda name: float(np.abs(np.array(COLOURS[name]) - mean).sum()))
        found.append((colour, len(big)))
    return tuple(found)


@pytest.mark.parametrize("name", ["wi-1", "wi-2", "wi-3", "wi-4", "wi-5"])
def test_what_is_on_a_canary_can_be_seen(name: str) -> None:
    assert seen(draw_canary(name)) == draw_canary(name).truth


def test_a_canary_belongs_to_its_window_and_no_two_are_alike() -> None:
    assert draw_canary("wi-1") == draw_canary("wi-1")
    assert len({draw_canary(f"wi-{i}").jpeg for i in range(20)}) == 20


def test_about_one_window_in_twenty_carries_one() -> None:
    riding = sum(rides_along(f"wi-{i}") for i in range(4000))
    assert 0.8 < riding * ONE_IN / 4000 < 1.2
    assert not any(rides_along(f"wi-{i}", 0) for i in range(100))


def test_who_sees_passes_and_may_err_once() -> None:
    canary = draw_canary("wi-7")
    check_canary(canary, reply(answer(canary)))
    once = json.loads(answer(canary))
    once["tiles"][0]["colour"] = "none"
    check_canary(canary, reply(json.dumps(once)))


@pytest.mark.parametrize(
    "text", ["", "{}", '{"tiles":[]}', '{"tiles":[{"id":"T1","colour":"red","discs":1,"sure":true}]}']
)
def test_who_says_nothing_of_use_stops_the_run(text: str) -> None:
    with pytest.raises(CanaryError, match="vision"):
        check_canary(draw_canary("wi-7"), reply(text))


def test_who_sees_no_colours_or_cannot_count_stops_the_run() -> None:
    canary = draw_canary("wi-7")
    for wrong in ({"colour": "none"}, {"discs": 9}):
        with pytest.raises(CanaryError):
            check_canary(canary, reply(answer(canary, **wrong)))


def test_guessing_hardly_ever_passes() -> None:
    canary, rng = draw_canary("wi-9"), np.random.default_rng(0)
    passed = 0
    for _ in range(2000):
        tiles = [
            {"id": f"T{n}", "colour": str(rng.choice(list(COLOURS))), "discs": int(rng.integers(1, 4))}
            for n in range(1, TILES + 1)
        ]
        try:
            check_canary(canary, reply(json.dumps({"tiles": tiles})))
            passed += 1
        except CanaryError:
            pass
    assert passed < 40, "one in a hundred is what is expected"


def test_a_refused_canary_is_a_service_that_does_not_work() -> None:
    with pytest.raises(ServiceError):
        check_canary(draw_canary("wi-7"), Refusal("", "no pictures here"))


def test_a_wrong_canary_ends_all_conversations() -> None:
    class Blind:
        def ask(self, requests: Sequence[Request]) -> Iterator[Answer | Refusal]:
            for request in requests:
                yield Answer(request.key, answer(draw_canary("wi-7"), colour="none"), Stop.DONE, 1, 1, cached=False)

    canary = draw_canary("wi-7")
    with pytest.raises(CanaryError):
        converse({"c": canary_talk(canary, model="m", prompt=load_prompt(Call.CANARY))}, Blind())


def test_what_was_answered_without_seeing_is_not_used_when_the_server_sees_again(tmp_path: Path) -> None:
    """Answers of the blind hours are kept like any others: the wrong canary among them bars the way to them."""

    class Server:
        def __init__(self, **changes: Any) -> None:
            self.changes = changes

        def ask(self, requests: Sequence[Request]) -> Iterator[Answer | Refusal]:
            for request in requests:
                text = answer(draw_canary(request.subject), **self.changes)
                yield Answer(request.key, text, Stop.DONE, 1, 1, cached=False)

    def ask(server: Server, model: str) -> None:
        talk = canary_talk(draw_canary("wi-7"), model=model, prompt=load_prompt(Call.CANARY))
        converse({"c": talk}, CachedAsker(server, Blobs(str(tmp_path))))

    with pytest.raises(CanaryError):
        ask(Server(colour="none"), "m@1")
    with pytest.raises(CanaryError, match=r"give caption\.by\.revision another value"):
        ask(Server(), "m@1")
    ask(Server(), "m@2")


def test_the_question_holds_the_picture_and_not_the_answer() -> None:
    canary = draw_canary("wi-7")
    request = canary_request(canary, model="m", prompt=load_prompt(Call.CANARY))
    assert request.images == (canary.jpeg,)
    assert not any(f"{discs} {colour}" in request.text + request.system for colour, discs in canary.truth)
