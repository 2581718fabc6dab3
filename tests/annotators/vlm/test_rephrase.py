"""Rephrasings: asked once per window, used only where they still say the same thing, and never needed."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import pytest

from annotators.vlm.conversation import converse
from annotators.vlm.draft import Problem
from annotators.vlm.prompt import load_prompt
from annotators.vlm.rephrase import MOST_SENTENCES, read_rephrasings, rephrase_request, rephrase_talk, sentences_of
from annotators.vlm.request import Answer, Call, Refusal, Request, Stop
from pipeline.synthetic.trajectory import Variant
from schemas.event import Event, Level, Rephrasing
from tests.annotators.vlm.oracle import scenes


@cache
def events() -> tuple[Event, ...]:
    tree = [event for event in scenes(0, (Variant.PLAIN,))[0].tree if event.level is Level.ACTION][:4]
    captions = ("Grasp the red cup", "Lift the red cup", "Grasp the red cup", "Wave")
    objects = (("red cup",), ("red cup",), ("red cup",), ())
    return tuple(replace(e, caption=c, objects=o) for e, c, o in zip(tree, captions, objects, strict=True))


def reply(*texts: tuple[int, list[str]]) -> Answer:
    value = {"sentences": [{"n": n, "texts": found} for n, found in texts]}
    return Answer("", json.dumps(value), Stop.DONE, 1, 1, cached=False)


class Fixed:
    def __init__(self, said: Answer | Refusal) -> None:
        self.said = said
        self.asked: list[Request] = []

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer | Refusal]:
        self.asked += requests
        yield replace(self.said, key=requests[0].key)


def settled(said: Answer | Refusal, count: int = 2, language: str = "en") -> tuple[list[Event], Fixed]:
    asker = Fixed(said)
    talk = rephrase_talk("wi-1", events(), language=language, count=count, model="m", prompt=load_prompt(Call.REPHRASE))
    return converse({"r": talk}, asker)["r"], asker


def test_equal_captions_are_asked_about_once() -> None:
    assert list(sentences_of(events())) == ["Grasp the red cup", "Lift the red cup", "Wave"]
    prompt = load_prompt(Call.REPHRASE)
    request = rephrase_request("wi-1", list(sentences_of(events())), language="de", count=3, model="m", prompt=prompt)
    assert "Language: de. Rewordings of each: 3." in request.text
    assert request.text.count("Grasp the red cup") == 1
    assert request.images == ()


def test_every_event_with_the_caption_gets_them() -> None:
    found, _ = settled(reply((1, ["take hold of the red cup.", "Grab the cup"])))
    wanted = (Rephrasing("en", "Take hold of the red cup"), Rephrasing("en", "Grab the cup"))
    assert [event.rephrasings for event in found] == [wanted, (), wanted, ()]
    assert [event.caption for event in found] == [event.caption for event in events()]


@pytest.mark.parametrize(
    "text",
    ["", "Grasp the red cup", "Take hold of it", "The robot takes the cup", "Grab the cup " + "very " * 14 + "gently"],
)
def test_what_does_not_say_the_same_is_left_out(text: str) -> None:
    found = read_rephrasings(sentences_of(events()), reply((1, [text])), language="en", count=2)
    assert found == {}


def test_numbers_of_no_sentence_and_more_than_asked_are_left_out() -> None:
    found = read_rephrasings(
        sentences_of(events()), reply((9, ["Nod"]), (0, ["Nod"]), (3, ["Nod", "Bow", "Cheer"])), language="en", count=2
    )
    assert found == {"Wave": (Rephrasing("en", "Nod"), Rephrasing("en", "Bow"))}


def test_another_language_is_not_judged_by_english_rules() -> None:
    found, _ = settled(reply((1, ["Die rote Tasse greifen"])), language="de")
    assert found[0].rephrasings == (Rephrasing("de", "Die rote Tasse greifen"),)


@pytest.mark.parametrize("said", [Refusal("", "no"), Answer("", "no", Stop.DONE, 1, 1, cached=False)])
def test_a_call_that_fails_costs_rephrasings_and_nothing_else(said: Answer | Refusal) -> None:
    assert isinstance(read_rephrasings(sentences_of(events()), said, language="en", count=1), Problem)
    found, asker = settled(said)
    assert found == list(events())
    assert len(asker.asked) == 1


def test_a_long_episode_takes_more_calls_and_no_caption_is_left_out() -> None:
    class Nodding:
        def __init__(self) -> None:
            self.lengths: list[int] = []

        def ask(self, requests: Sequence[Request]) -> Iterator[Answer]:
            for request in requests:
                lines = request.text.splitlines()[1:]
                self.lengths.append(len(lines))
                said = reply(*((n, [f"Nod to {line.split()[-1]}"]) for n, line in enumerate(lines, start=1)))
                yield replace(said, key=request.key)

    many = [replace(events()[3], caption=f"Wave at {n}") for n in range(2 * MOST_SENTENCES + 5)]
    asker = Nodding()
    talk = rephrase_talk("ep-1", many, language="en", count=1, model="m", prompt=load_prompt(Call.REPHRASE))
    found = converse({"r": talk}, asker)["r"]
    assert asker.lengths == [MOST_SENTENCES, MOST_SENTENCES, 5]
    assert [event.rephrasings for event in found] == [(Rephrasing("en", f"Nod to {n}"),) for n in range(len(many))]


def test_none_wanted_none_asked() -> None:
    found, asker = settled(reply(), count=0)
    assert found == list(events())
    assert asker.asked == []
