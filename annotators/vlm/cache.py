"""Answers kept across runs: a request that has been answered once is never paid for again.

One blob per answer under ``answers/`` in the workspace, named by the request's key, which is the digest of everything
that determines the answer. So runs, recipes and workers share them, racing writers write the same, and nothing is ever
invalidated: another prompt or model has other keys. Answers that were cut off are not kept, because room for more
tokens may be found, nor are refusals, because servers change. What is kept is unchecked: whoever asks checks it again.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from annotators.vlm.request import Answer, Asker, Refusal, Request, Stop
from pipeline.blobs import Blobs
from schemas.identity import canonical_json, digest

FOLDER = "answers"


@dataclass(frozen=True)
class CachedAsker:
    """An `Asker` that asks another only for what it does not know."""

    inner: Asker
    blobs: Blobs

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer | Refusal]:
        """Known answers first, then those of the inner asker as they come, kept before they are handed on."""
        unknown: dict[str, Request] = {}
        for key, request in {request.key: request for request in requests}.items():
            known = self._known(key)
            if known is None:
                unknown[key] = request
            else:
                yield known
        if unknown:
            for answer in self.inner.ask(list(unknown.values())):
                if isinstance(answer, Answer) and answer.stop is Stop.DONE:
                    self.blobs.put_bytes(path_of(answer.key), _blob_of(answer))
                yield answer

    def _known(self, key: str) -> Answer | None:
        try:
            raw = self.blobs.read(path_of(key))
        except FileNotFoundError:
            return None
        return _answer_in(raw, key)


def path_of(key: str) -> str:
    """Where in a workspace the answer to a request is."""
    return f"{FOLDER}/{key[:2]}/{key}.json"


def _blob_of(answer: Answer) -> bytes:
    kept = {
        "key": answer.key,
        "text": answer.text,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
    }
    return canonical_json(kept | {"digest": digest(canonical_json(kept))}).encode()


def _answer_in(raw: bytes, key: str) -> Answer | None:
    """The answer in a blob; None, so that it is asked again, for a blob that is not whole or not this answer's."""
    try:
        kept = json.loads(raw)
        told = kept.pop("digest")
        if told != digest(canonical_json(kept)) or kept["key"] != key:
            return None
        return Answer(key, kept["text"], Stop.DONE, kept["prompt_tokens"], kept["completion_tokens"], cached=True)
    except (ValueError, KeyError, AttributeError, TypeError):
        return None
