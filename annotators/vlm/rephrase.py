"""Rephrasings: finished captions in other words, or in another language, for prompt augmentation.

One text-only call per language for many different captions at once, one after the other for a long episode; off unless
the recipe asks. What comes back is used only where it passes the checks a caption passes, and where the object's name
survives. A call that fails costs rephrasings and nothing else: captions are what they are without them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from annotators.vlm.answer import (
    MAX_WORDS,
    TEXT_CHARS,
    Part,
    list_of,
    number_to,
    read,
    record,
    schema_text,
    sentence,
    text_of,
)
from annotators.vlm.conversation import Talk
from annotators.vlm.draft import Problem
from annotators.vlm.prompt import Prompt
from annotators.vlm.request import Answer, Call, Refusal, Request
from annotators.vlm.tree_checks import wording_fault
from schemas.event import Event, Rephrasing

MOST_SENTENCES = 60
"""Per call."""
_ENGLISH = "en"
_TOKENS_PER_TEXT = 40


class SentenceAnswer(Part):
    """Rewordings of one sentence."""

    n: int
    texts: tuple[str, ...]


class RephraseAnswer(Part):
    """The whole answer."""

    sentences: tuple[SentenceAnswer, ...]


def sentences_of(events: Sequence[Event]) -> dict[str, tuple[str, ...]]:
    """The different captions of a tree, level by level in time order, and the objects each must keep."""
    found: dict[str, tuple[str, ...]] = {}
    for event in sorted(events, key=lambda event: (event.level.depth, event.span.frame_start)):
        if event.caption and event.caption not in found:
            found[event.caption] = event.objects
    return found


def rephrase_request(
    subject: str, sentences: Sequence[str], *, language: str, count: int, model: str, prompt: Prompt
) -> Request:
    """The question about numbered sentences."""
    item = record({"n": number_to(len(sentences)), "texts": list_of(text_of(TEXT_CHARS, least=1), count, least=1)})
    lines = [f"{number}. {text}" for number, text in enumerate(sentences, start=1)]
    return Request(
        call=Call.REPHRASE,
        subject=subject,
        model=model,
        system=prompt.text,
        images=(),
        text="\n".join([f"Language: {language}. Rewordings of each: {count}.", *lines]),
        schema=schema_text(record({"sentences": list_of(item, len(sentences), least=1)})),
        max_tokens=100 + _TOKENS_PER_TEXT * count * len(sentences),
    )


def read_rephrasings(
    sentences: Mapping[str, tuple[str, ...]], reply: Answer | Refusal, *, language: str, count: int
) -> dict[str, tuple[Rephrasing, ...]] | Problem:
    """Caption → what it may also be called; captions for which nothing usable came back are left out."""
    answer = read(RephraseAnswer, reply)
    if isinstance(answer, Problem):
        return answer
    captions = list(sentences)
    found: dict[str, tuple[Rephrasing, ...]] = {}
    for item in reversed(answer.sentences):
        if not 1 <= item.n <= len(captions):
            continue
        caption = captions[item.n - 1]
        texts = dict.fromkeys(sentence(text) for text in item.texts)
        good = [text for text in texts if _usable(text, caption, sentences[caption], language)]
        if good:
            found[caption] = tuple(Rephrasing(language, text) for text in good[:count])
    return found


def _usable(text: str, caption: str, objects: Sequence[str], language: str) -> bool:
    if not text or len(text.split()) > MAX_WORDS or text.lower() == caption.lower():
        return False
    if language != _ENGLISH:
        return True
    heads = [name.lower().split()[-1] for name in objects if name.split()]
    named = [head for head in heads if head in caption.lower()]
    return not wording_fault(text) and all(head in text.lower() for head in named)


def rephrased(events: Sequence[Event], found: Mapping[str, tuple[Rephrasing, ...]]) -> list[Event]:
    """The events with what their captions may also be called, added to what they have."""
    return [
        replace(event, rephrasings=event.rephrasings + found[event.caption]) if event.caption in found else event
        for event in events
    ]


def rephrase_talk(
    subject: str, events: Sequence[Event], *, language: str, count: int, model: str, prompt: Prompt
) -> Talk[list[Event]]:
    """One call after the other as a conversation; what nothing usable came back about stays as it is."""
    sentences = list(sentences_of(events).items()) if count > 0 else []
    found: dict[str, tuple[Rephrasing, ...]] = {}
    for first in range(0, len(sentences), MOST_SENTENCES):
        part = dict(sentences[first : first + MOST_SENTENCES])
        request = rephrase_request(subject, list(part), language=language, count=count, model=model, prompt=prompt)
        said = read_rephrasings(part, (yield request), language=language, count=count)
        found |= {} if isinstance(said, Problem) else said
    return rephrased(events, found)
