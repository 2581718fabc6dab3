"""One server: asking it, and the check that it is what the recipe says before anything is believed.

The check sends what nobody would answer by chance: the model is told to write prose, under a schema that allows one
JSON document alone. A server that ignores ``response_format`` writes prose and is found out; one whose model takes no
pictures refuses the picture that rides along. The check is made on first use and again after every outage, because
what comes back may have been started with other options.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import cv2
import httpx2
import numpy as np

from annotators.vlm.chat import Declined, OddAnswer, answer_of, body_of, models_of, words_of
from annotators.vlm.fault import Fault, Kind, fault_of_error, fault_of_status
from annotators.vlm.health import Health
from annotators.vlm.request import Answer, Call, Request, Stop
from annotators.vlm.secret import Secret, read_key
from pipeline.errors import ServiceError
from schemas.identity import canonical_json
from schemas.recipe_vlm import VlmServersSpec

MAX_BODY = 16 << 20
PROBE_SIDE = 64
PROBE_TOKENS = 64
PROBED = "joinery-7f3a"
PROBE_ANSWER = canonical_json({"ready": PROBED})
PROOF = len('{"ready"')
"""A beginning of the answer that prose does not have; a weak model may then lose itself in blanks, and may."""
PROBE_SCHEMA = {
    "type": "object",
    "properties": {"ready": {"type": "string", "enum": [PROBED]}},
    "required": ["ready"],
    "additionalProperties": False,
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Server:
    """Where a server is, and the key it asks for."""

    url: str
    key: Secret | None = None
    log: str = ""
    """Where its log is kept, when it is one of ours."""


def servers_of(spec: VlmServersSpec) -> list[Server]:
    """The endpoints a recipe names, with their keys. Raises ServiceError for a key that is not where it should be."""
    return [Server(each.url.rstrip("/"), read_key(each.key, each.url) if each.key else None) for each in spec.endpoints]


class Endpoint:
    """A server while it is being asked."""

    def __init__(self, server: Server, model: str, spec: VlmServersSpec) -> None:
        self.server = server
        self.model = model
        self.health = Health(spec.concurrency, spec.first_pause_s, spec.longest_pause_s)
        self.echoes = False
        """Its replies name the request they answer, so that a swapped one can be told."""
        self._timeouts = spec.timeouts

    def __str__(self) -> str:
        return f"{self.server.url} (log: {self.server.log})" if self.server.log else self.server.url

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx2.AsyncClient]:
        """An HTTP client for this server. Redirects are not followed: they would take the key elsewhere."""
        timeouts = self._timeouts
        timeout = httpx2.Timeout(timeouts.first_byte_s, connect=timeouts.connect_s, pool=None)
        headers = {"authorization": f"Bearer {self.server.key.reveal()}"} if self.server.key else {}
        local = httpx2.URL(self.server.url).host in LOOPBACK
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(timeout=timeout, headers=headers, limits=limits, trust_env=not local) as client:
            yield client

    async def ask(self, client: httpx2.AsyncClient, request: Request, token: str) -> Answer:
        """The answer to a request; ``token`` names this try. Raises Fault."""
        started = time.monotonic()
        raw = await self._exchange(client, "POST", "chat/completions", body_of(request, self.model), token)
        answer = self._answer_in(raw, request.key, token if self.echoes else None, Kind.BROKEN)
        return replace(answer, seconds=round(time.monotonic() - started, 3))

    def _answer_in(self, raw: bytes, key: str, token: str | None, if_odd: Kind) -> Answer:
        """The answer in a reply with status 200. Raises Fault when there is none, of kind ``if_odd`` or REFUSED."""
        try:
            return answer_of(key, self.model, token, raw)
        except OddAnswer as odd:
            raise Fault(if_odd, self._blanked(f"HTTP 200, but {odd}")) from None
        except Declined as declined:
            raise Fault(Kind.REFUSED, self._blanked(str(declined))) from None

    async def check(self, client: httpx2.AsyncClient) -> None:
        """See that the model is there and schemas are enforced. Raises ServiceError when not, and Fault when down."""
        try:
            await self._find_model(client)
            await self._prove_schema(client)
        except Fault as fault:
            if fault.kind in (Kind.FORBIDDEN, Kind.STRANGE, Kind.REFUSED):
                raise self.hopeless(fault) from None
            raise
        self.health.checked = True

    def hopeless(self, fault: Fault) -> ServiceError:
        """The error that ends a run: what this server says to everybody."""
        match fault.kind:
            case Kind.FORBIDDEN:
                has = "the key it was given is not accepted" if self.server.key else "it was given no key"
                advice = "name the right one under key, as env or file, in this endpoint's section"
            case Kind.REFUSED:
                has = "a tiny request with one picture is more than it takes"
                advice = "serve a model that sees, with one picture or more per prompt"
            case _:
                has = "this is no OpenAI-compatible server of that model"
                advice = "the URL goes up to and including /v1, and the model's name is the one listed at /v1/models"
        return ServiceError(f"{self}: {fault.message}: {has}; {advice}")

    async def _find_model(self, client: httpx2.AsyncClient) -> None:
        raw = await self._exchange(client, "GET", "models", None, "")
        try:
            names = models_of(raw)
        except OddAnswer as odd:
            raise Fault(Kind.STRANGE, self._blanked(f"/models: {odd}")) from None
        if self.model not in names:
            serves = self._blanked(f"serves {names}")
            raise ServiceError(f"{self}: {serves}, expected {self.model!r}; name one it serves, or start that")

    async def _prove_schema(self, client: httpx2.AsyncClient) -> None:
        token, probe = "joinery-probe", probe_of(self.model)
        raw = await self._exchange(client, "POST", "chat/completions", body_of(probe, self.model), token)
        answer = self._answer_in(raw, probe.key, None, Kind.STRANGE)
        if not _proves(answer):
            wrote = self._blanked(f"it wrote {answer.text[:80]!r}")
            raise ServiceError(
                f"{self}: ignores response_format: {wrote} where the schema allows nothing but "
                f"{PROBE_ANSWER}; use a server that enforces JSON schemas (vLLM does), with that switched on"
            )
        self.echoes = token in str(json.loads(raw).get("id"))

    async def _exchange(
        self, client: httpx2.AsyncClient, method: str, path: str, body: dict[str, Any] | None, token: str
    ) -> bytes:
        """The body of a reply with status 200. Raises Fault, with the key blanked from whatever the server said."""
        headers = {"x-request-id": token} if token else {}
        try:
            async with (
                asyncio.timeout(self._timeouts.whole_s),
                client.stream(method, f"{self.server.url}/{path}", json=body, headers=headers) as reply,
            ):
                raw = await _body(reply)
        except TimeoutError:
            raise Fault(Kind.BROKEN, f"no whole answer within {self._timeouts.whole_s:g} s") from None
        except (httpx2.ReadTimeout, httpx2.WriteTimeout):
            raise Fault(Kind.BROKEN, f"silent for {self._timeouts.first_byte_s:g} s") from None
        except httpx2.HTTPError as error:
            fault = fault_of_error(error)
            raise Fault(fault.kind, self._blanked(fault.message)) from None
        if reply.status_code != 200:
            raise fault_of_status(reply.status_code, self._blanked(words_of(raw)), reply.headers)
        return raw

    def _blanked(self, message: str) -> str:
        return self.server.key.blanked(message) if self.server.key else message


async def _body(reply: httpx2.Response) -> bytes:
    parts, size = [], 0
    async for part in reply.aiter_bytes():
        size += len(part)
        if size > MAX_BODY:
            raise Fault(Kind.BROKEN, f"a reply of more than {MAX_BODY >> 20} MiB")
        parts.append(part)
    return b"".join(parts)


def probe_of(model: str) -> Request:
    """The request that only a server which enforces schemas answers as it should."""
    text = "Say hello to the reader in a full sentence of plain English prose. Do not write JSON."
    schema = canonical_json(PROBE_SCHEMA)
    return Request(Call.CANARY, "probe", model, "", (_grey_picture(),), text, schema, PROBE_TOKENS)


@cache
def _grey_picture() -> bytes:
    done, jpeg = cv2.imencode(".jpg", np.full((PROBE_SIDE, PROBE_SIDE, 3), 128, np.uint8))
    assert done
    return jpeg.tobytes()


def _proves(answer: Answer) -> bool:
    compact = "".join(answer.text.split())
    if answer.stop is Stop.TRUNCATED:
        return len(compact) >= PROOF and PROBE_ANSWER.startswith(compact)
    return compact == PROBE_ANSWER
