"""The OpenAI chat protocol as pure functions: a request as a body, and a body that came back as an answer or a reason
why it is none.

Temperature 0 and a fixed seed: what a model says should depend on the question alone. The schema travels as
``response_format``, which every OpenAI-compatible server understands; vLLM's older ``guided_json`` is ignored without
a word by servers that do not know it, and by new ones too.
"""

import base64
import json
from typing import Any

from annotators.vlm.request import Answer, Request, Stop

SEED = 0
SHOWN = 200
"""Characters of a server's own words in a message."""


class OddAnswer(Exception):  # noqa: N818 - an oddity of the server, which its caller may try again
    """A reply with status 200 that is no answer to what was asked; the message says what was found."""


class Declined(Exception):  # noqa: N818 - said by the model or its guard, not an error of ours
    """The model, or a filter before it, declines to answer this question."""


def body_of(request: Request, model: str) -> dict[str, Any]:
    """What is posted to ``/chat/completions``. Pictures first: requests about one window share the longest prefix."""
    pictures = [{"type": "image_url", "image_url": {"url": _data_url(image)}} for image in request.images]
    content = [*pictures, {"type": "text", "text": request.text}]
    system = [{"role": "system", "content": request.system}] if request.system else []
    schema = {"name": "answer", "strict": True, "schema": json.loads(request.schema)}
    return {
        "model": model,
        "messages": [*system, {"role": "user", "content": content}],
        "response_format": {"type": "json_schema", "json_schema": schema},
        "max_tokens": request.max_tokens,
        "temperature": 0.0,
        "seed": SEED,
        "stream": False,
    }


def answer_of(key: str, model: str, token: str | None, raw: bytes) -> Answer:
    """The answer in the body of a reply. ``token`` is what the reply's id must hold, where the server echoes ids.

    Raises OddAnswer for anything that is not one answer of this model to this request, and Declined.
    """
    reply = _object(raw)
    if reply.get("model") != model:
        raise OddAnswer(f"answered as model {_short(reply.get('model'))}, expected {_short(model)}")
    if token is not None and token not in str(reply.get("id")):
        raise OddAnswer(f"the reply with id {_short(reply.get('id'))} answers another request")
    choices = reply.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        raise OddAnswer(f"found {len(choices) if isinstance(choices, list) else 'no list of'} choices, expected 1")
    text, stop = _said(choices[0])
    usage = reply.get("usage")
    prompt, completion = (_tokens(usage, name) for name in ("prompt_tokens", "completion_tokens"))
    return Answer(key, text, stop, prompt, completion, cached=False)


def words_of(raw: bytes) -> str:
    """What a server says of its own error, in short: the message of OpenAI's error object or the body's beginning."""
    try:
        reply = json.loads(raw)
    except (ValueError, RecursionError):
        return _short(raw[:SHOWN].decode("utf-8", "replace"))
    error = reply.get("error", reply) if isinstance(reply, dict) else reply
    return _short(error.get("message", error) if isinstance(error, dict) else error)


def models_of(raw: bytes) -> list[str]:
    """Names listed by ``/models``. Raises OddAnswer when the body is no such list."""
    listed = _object(raw).get("data")
    if not isinstance(listed, list):
        raise OddAnswer("found no list of models under 'data'")
    return [str(entry["id"]) for entry in listed if isinstance(entry, dict) and "id" in entry]


def _said(choice: dict[str, Any]) -> tuple[str, Stop]:
    message, reason = choice.get("message"), choice.get("finish_reason")
    if not isinstance(message, dict):
        raise OddAnswer("the choice has no message")
    if message.get("refusal") or reason == "content_filter":
        raise Declined(_short(message.get("refusal") or "a content filter stopped it"))
    text = message.get("content")
    if reason == Stop.TRUNCATED and text is None:  # all tokens went into thinking aloud
        return "", Stop.TRUNCATED
    if reason not in tuple(Stop) or not isinstance(text, str):
        raise OddAnswer(f"stopped for {_short(reason)} with content {_short(text)}, expected text and 'stop'")
    if reason == Stop.DONE and not text.strip():
        raise OddAnswer("an empty answer")
    return text.encode("utf-8", "replace").decode(), Stop(reason)  # half a character could not be kept


def _tokens(usage: Any, name: str) -> int:
    found = usage.get(name) if isinstance(usage, dict) else None
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise OddAnswer(f"usage.{name} is {_short(found)}, expected a count: without it no budget can be kept")
    return found


def _object(raw: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(raw)
    except (ValueError, RecursionError) as error:
        beginning = raw[:SHOWN].decode("utf-8", "replace")
        raise OddAnswer(f"a body of {len(raw)} bytes that is not JSON: {_short(beginning)}") from error
    if not isinstance(reply, dict):
        raise OddAnswer(f"found {type(reply).__name__}, expected an object")
    return reply


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _data_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
