"""What a robot shall do next: one question with what its cameras see, one sentence and a duration as the answer.

Part of acting, not of annotation: nothing here touches captions of recordings.
"""

from collections.abc import Sequence

from annotators.vlm.answer import TEXT_CHARS, Part, clean, read, record, schema_text, sentence, text_of
from annotators.vlm.draft import Fault, Problem
from annotators.vlm.prompt import Prompt
from annotators.vlm.request import Answer, Call, Refusal, Request

SHORTEST_S, LONGEST_S = 0.2, 60.0
MOST_PAST = 12
"""Events of the past a question tells, the last ones."""
_MAX_TOKENS = 160


class NextEventAnswer(Part):
    """The whole answer."""

    done: bool
    text: str
    seconds: float


def next_event_request(
    subject: str, task: str, past: Sequence[str], pictures: Sequence[tuple[str, bytes]], *, model: str, prompt: Prompt
) -> Request:
    """The question; ``pictures`` are names of cameras and JPEG files."""
    lines = [f"Task: {clean(task, 400)}", f"Pictures, in order: {', '.join(name for name, _ in pictures)}."]
    told = [clean(text, TEXT_CHARS) for text in past[-MOST_PAST:]]
    lines += ["Done so far:", *(f"{number}. {text}" for number, text in enumerate(told, start=1))] if told else []
    seconds = {"type": "number", "minimum": SHORTEST_S, "maximum": LONGEST_S}
    answer = record({"done": {"type": "boolean"}, "text": text_of(TEXT_CHARS), "seconds": seconds})
    return Request(
        call=Call.NEXT,
        subject=subject,
        model=model,
        system=prompt.text,
        images=tuple(jpeg for _, jpeg in pictures),
        text="\n".join(lines),
        schema=schema_text(answer),
        max_tokens=_MAX_TOKENS,
    )


def read_next_event(reply: Answer | Refusal) -> NextEventAnswer | Problem:
    """The answer with its text as captions are written, or what is wrong with it."""
    answer = read(NextEventAnswer, reply)
    if isinstance(answer, Problem) or answer.done:
        return answer
    text = sentence(answer.text)
    if not text:
        return Problem(Fault.UNREADABLE, "text: no sentence, or one that was cut off; write one short sentence")
    if not SHORTEST_S <= answer.seconds <= LONGEST_S:
        found = f"seconds: found {answer.seconds}, expected {SHORTEST_S} to {LONGEST_S}"
        return Problem(Fault.UNREADABLE, found)
    return answer.model_copy(update={"text": text})
