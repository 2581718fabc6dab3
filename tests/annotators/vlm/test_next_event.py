"""What a robot shall do next: the question, and answers that are none."""

import json

import pytest

from annotators.vlm.draft import Problem
from annotators.vlm.next_event import MOST_PAST, NextEventAnswer, next_event_request, read_next_event
from annotators.vlm.prompt import Prompt, load_prompt, prompts_digest
from annotators.vlm.request import Answer, Call, Refusal, Request, Stop
from schemas.identity import digest

PROMPT = Prompt(1, "Direct.", "d")


def question(past: list[str]) -> Request:
    return next_event_request(
        "e", "clear the\ntable", past, [("front", b"1"), ("wrist", b"2")], model="m", prompt=PROMPT
    )


def said(**changes: object) -> Answer:
    text = json.dumps({"done": False, "text": "grasp the cup.", "seconds": 1.5} | changes)
    return Answer("k", text, Stop.DONE, 1, 1, cached=False)


def test_the_question_has_the_task_the_pictures_and_the_last_events() -> None:
    assert question([]).text.splitlines() == ["Task: clear the table", "Pictures, in order: front, wrist."]
    asked = question([f"event {n}" for n in range(20)])
    assert asked.images == (b"1", b"2")
    assert asked.text.splitlines()[3:] == [f"{n + 1}. event {20 - MOST_PAST + n}" for n in range(MOST_PAST)]
    assert json.loads(asked.schema)["required"] == ["done", "text", "seconds"]


def test_an_answer_is_an_event_or_the_end() -> None:
    assert read_next_event(said()) == NextEventAnswer(done=False, text="Grasp the cup", seconds=1.5)
    end = read_next_event(said(done=True, text="", seconds=0.2))
    assert isinstance(end, NextEventAnswer)
    assert end.done


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (said(text="  ..."), "no sentence"),
        (said(text="a" * 110), "cut off"),
        (said(seconds=0.0), "seconds: found 0.0"),
        (said(seconds=1e9), "seconds: found"),
        (said(seconds="long"), "seconds"),
        (said(also=1), "also"),
        (Answer("k", "{", Stop.TRUNCATED, 1, 1, cached=False), "cut off"),
        (Refusal("k", "too long"), "refused"),
    ],
)
def test_what_is_no_event_says_why(reply: Answer | Refusal, problem: str) -> None:
    found = read_next_event(reply)
    assert isinstance(found, Problem)
    assert problem in found.text


def test_directing_a_robot_leaves_the_revision_of_captions_alone() -> None:
    """Or every caption of every corpus would be asked for again."""
    of_recordings = (Call.TREE, Call.VERIFY, Call.REPHRASE, Call.CANARY)
    assert prompts_digest() == digest(*(load_prompt(call).digest for call in of_recordings))
