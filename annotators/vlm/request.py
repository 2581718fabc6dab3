"""One question to a vision-language model and what came back: the border between conversations and servers.

A request is all content and no place: its key is the digest of everything that determines the answer (pictures, texts,
schema, model revision, sampling), so an answer can be cached across runs and joined to its question whatever the order
in which servers answer. ``subject`` says for people which event or window it is about; it is no part of the key.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from schemas.identity import digest


class Call(StrEnum):
    """Which step of the protocol asks (events.md, "VLM protocol")."""

    TREE = "tree"
    VERIFY = "verify"
    REPHRASE = "rephrase"
    CANARY = "canary"
    NEXT = "next"
    """No step of it: what a robot shall do next (`annotators.vlm.next_event`)."""


@dataclass(frozen=True)
class Request:
    """A question. Pictures come first and variable text last, so that prefix and encoder caches of servers hit."""

    call: Call
    subject: str
    """Id of the window or event asked about."""
    model: str
    """Name and revision of the model, as `Answer` caches must tell them apart."""
    system: str
    images: tuple[bytes, ...]
    """JPEG files."""
    text: str
    schema: str
    """JSON schema of the answer, as canonical JSON text; servers are asked to enforce it, callers check it anyway."""
    max_tokens: int
    attempt: int = 0
    """0, or 1 when the same question is put again after an answer that failed its checks."""

    @cached_property
    def key(self) -> str:
        """Digest of what determines the answer; `attempt` counts, or a retry would be answered from the cache."""
        fixed = (self.call, self.model, self.system, self.text, self.schema, str(self.max_tokens), str(self.attempt))
        return digest(*(part.encode() for part in fixed), *self.images)


class Stop(StrEnum):
    """Why a model stopped writing."""

    DONE = "stop"
    TRUNCATED = "length"


@dataclass(frozen=True)
class Answer:
    """What a model wrote. Not yet checked: truncated or unfit text is still an answer."""

    key: str
    text: str
    stop: Stop
    prompt_tokens: int
    completion_tokens: int
    cached: bool
    """True: read from the cache, no call was made and no token spent."""
    attempts: int = 1
    """How often the question was sent until it was answered. For the ledger, like `seconds`; results never use it."""
    seconds: float = 0.0


@dataclass(frozen=True)
class Refusal:
    """Servers are well and will not take this one request (too long, a picture they cannot read): its item's fault."""

    key: str
    reason: str
    gave_up: bool = False
    """They did not say no but failed at it, time and again; another time they may not, so no result may rest on it."""


class Asker(Protocol):
    """Whoever answers requests: a client of servers, a batch engine, or an oracle in a test."""

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer | Refusal]:
        """One answer or refusal per distinct request, in any order.

        Raises `pipeline.errors.ServiceError` when servers are down or refuse us all. No answer is ever made up.
        """
