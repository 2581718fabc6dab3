"""What both calls have in common: how JSON is asked for, read, and cleaned of what no caption may contain.

Everything in a schema is bounded (lengths, counts, ids of this window as enums), so that under guided decoding even a
model that knows nothing ends its answer and it parses. Callers check it all the same: a server may ignore a schema.
"""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from annotators.vlm.draft import Fault, Problem
from annotators.vlm.request import Answer, Refusal, Stop

A = TypeVar("A", bound=BaseModel)

MAX_WORDS = 15
TEXT_CHARS = 110
"""Of a sentence of 15 words."""
NAME_CHARS = 40
REASON_CHARS = 60
MAX_OBSERVATIONS = 8
OBSERVATION_CHARS = 160


class Part(BaseModel):
    """A part of an answer: nothing but the keys it was asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def text_of(chars: int, *, least: int = 0) -> dict[str, Any]:
    """A bounded string."""
    return {"type": "string", "minLength": least, "maxLength": chars}


def one_of(values: Sequence[str]) -> dict[str, Any]:
    """One of a closed list."""
    return {"type": "string", "enum": list(values)}


def number_to(most: int) -> dict[str, Any]:
    """1 … most."""
    return {"type": "integer", "minimum": 1, "maximum": most}


def list_of(item: dict[str, Any], most: int, *, least: int = 0) -> dict[str, Any]:
    """A bounded list."""
    return {"type": "array", "items": item, "minItems": least, "maxItems": most}


def record(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object with these keys, in this order, and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def schema_text(schema: dict[str, Any]) -> str:
    """As it goes into a request. Keys keep their order: models write properties in the order of the schema."""
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=False)


def read(model: type[A], reply: Answer | Refusal) -> A | Problem:
    """The answer as a model, or what is wrong with it; no other check is made here."""
    if isinstance(reply, Refusal):
        return Problem(Fault.REFUSED, f"the server refused the request: {clean(reply.reason, 300)}")
    if reply.stop is Stop.TRUNCATED:
        return Problem(Fault.TRUNCATED, "the answer was cut off before its end; write less")
    try:
        # raw control characters inside strings are the one thing that guided decoders let through
        value = json.loads(reply.text, strict=False)
    except (ValueError, RecursionError) as error:
        return Problem(Fault.UNREADABLE, f"the answer is not JSON: {clean(str(error), 120)}")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        return Problem(Fault.UNREADABLE, f"{clean(where, 60)}: {clean(first['msg'], 120)}")


def clean(text: str, chars: int) -> str:
    """One line of at most so many characters: no control characters, no half characters, single spaces."""
    whole = text.encode("utf-8", "replace").decode()
    printable = "".join(letter if letter.isprintable() else " " for letter in whole)
    return " ".join(printable.split())[:chars].rstrip()


def sentence(text: str) -> str:
    """As captions are written: one line, first letter upper, no full stop; empty for a text that fills all its room.

    Such a text was most likely cut where the schema ends it, in the middle of a word.
    """
    whole = clean(text, TEXT_CHARS + 1)
    if len(whole) >= TEXT_CHARS:
        return ""
    line = whole.rstrip(" .!?;:,").lstrip(" .!?;:,-")
    return line[:1].upper() + line[1:]
