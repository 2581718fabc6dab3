"""Asks running servers: many requests at once, over several endpoints, through everything that can happen to them.

`annotators/vlm/fault.py` sorts what happens; here is what follows. A request that reached a server and failed is tried
again, elsewhere if there is an elsewhere, a bounded number of times. When a request has used up its tries, the servers
decide who is to blame: if one of them passes its check, the request is; if none does, they are, and the run ends.
Waiting for a server that is down is no try of any request, and ends after ``patience_s`` without any server up.

All of it happens in one event loop in a thread of its own, which goes on while callers work on answers. Any number of
threads may ask at once: what is in flight is bounded per endpoint, not per caller.

Answers come in any order. Each is joined to its request by the request's key, over an exchange of its own, and where
the server echoes our id (vLLM does), the id is compared too.
"""

import asyncio
import contextlib
import queue
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Self

import httpx2

from annotators.vlm.endpoint import Endpoint, Server
from annotators.vlm.fault import Fault, Kind
from annotators.vlm.request import Answer, Refusal, Request
from pipeline.errors import ServiceError
from schemas.recipe_vlm import VlmServersSpec, VlmSpec

SHORTEST_WAIT_S = 0.01


class ServerAsker:
    """An `Asker` over servers that run, for any number of threads. An error that ends a run ends it for all of them."""

    def __init__(self, model: VlmSpec, servers: Sequence[Server], spec: VlmServersSpec) -> None:
        self._identity = model.identity
        self._servers = _Servers(spec, [Endpoint(server, model.model, spec) for server in servers])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="vlm", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up what is in flight and close every connection. Nothing may be asked afterwards."""
        if self._thread.is_alive():
            self._start(self._servers.close()).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def check(self) -> None:
        """Check every endpoint now. Raises ServiceError for the first that is not what it should be, or is down."""
        self._start(self._servers.check()).result()

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer | Refusal]:
        """See `annotators.vlm.request.Asker`."""
        unique = {request.key: request for request in requests}
        for request in unique.values():
            if request.model != self._identity:
                raise ValueError(f"{request.subject}: asks {request.model!r}, these servers are {self._identity!r}")
        if self._loop.is_closed():
            raise RuntimeError("this asker is closed")
        answers: queue.SimpleQueue[Answer | Refusal | None] = queue.SimpleQueue()
        done = self._start(self._servers.answer_all(list(unique.values()), answers.put))
        done.add_done_callback(lambda _: answers.put(None))
        try:
            while (answer := answers.get()) is not None:
                yield answer
            done.result()
        finally:
            done.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)


class _Servers:
    """The endpoints and what is in flight: everything here runs in the one event loop, so nothing needs a lock."""

    def __init__(self, spec: VlmServersSpec, endpoints: Sequence[Endpoint]) -> None:
        self._spec = spec
        self._endpoints = endpoints
        self._clients: dict[Endpoint, httpx2.AsyncClient] = {}
        self._open = AsyncExitStack()
        self._changed = asyncio.Event()
        self._over: ServiceError | None = None
        """What ended the run: whoever waits learns it before another question is put."""
        self._nonce = uuid.uuid4().hex[:12]
        """Random on purpose: servers refuse an id that is in flight, and a try given up may be so yet."""

    async def check(self) -> None:
        for endpoint in self._endpoints:
            try:
                await endpoint.check(await self._client(endpoint))
            except Fault as fault:
                raise ServiceError(f"{endpoint}: {fault.message}; start it, then run again") from None

    async def close(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._open.aclose()

    async def _client(self, endpoint: Endpoint) -> httpx2.AsyncClient:
        if endpoint not in self._clients:
            self._clients[endpoint] = await self._open.enter_async_context(endpoint.client())
        return self._clients[endpoint]

    async def answer_all(self, requests: Sequence[Request], put: Callable[[Answer | Refusal], None]) -> None:
        """Put one answer or refusal per request."""
        left = iter(requests)

        async def work() -> None:
            for request in left:
                try:
                    put(await self._answer(request))
                except ServiceError as error:
                    self._over = error
                    raise

        n = min(len(requests), self._spec.concurrency * len(self._endpoints))
        tasks = [asyncio.ensure_future(work()) for _ in range(n)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, request: Request) -> Answer | Refusal:
        started, attempts = time.monotonic(), 0
        endpoint: Endpoint | None = None
        while True:
            endpoint = await self._claim(avoid=endpoint)
            asked_at = time.monotonic()
            asked = False
            try:
                if not endpoint.health.checked:
                    await endpoint.check(await self._client(endpoint))
                    self._tell()
                asked, token = True, f"{request.key[:32]}-{self._nonce}-{attempts}"
                answer = await endpoint.ask(await self._client(endpoint), request, token)
                endpoint.health.answered()
                return replace(answer, attempts=attempts + 1, seconds=round(time.monotonic() - started, 3))
            except Fault as fault:
                last = fault
                if fault.kind is Kind.REFUSED:
                    endpoint.health.answered()
                    return Refusal(request.key, f"{endpoint}: {fault.message}")
                if fault.kind is Kind.FORBIDDEN:
                    raise endpoint.hopeless(fault) from None
                endpoint.health.failed(fault, asked_at, time.monotonic())
                if asked and fault.kind is not Kind.UNREACHABLE:
                    attempts += 1
            finally:
                endpoint.health.in_flight -= 1
                self._tell()
            if attempts >= self._spec.attempts:
                return await self._verdict(endpoint, request, last, attempts)

    async def _verdict(self, endpoint: Endpoint, request: Request, fault: Fault, attempts: int) -> Refusal:
        """The request is to blame if some server is well. Raises ServiceError when none is: then they are."""
        said = f"failed {attempts} times, last at {endpoint}: {fault.message}"
        if fault.kind is Kind.BUSY:
            raise ServiceError(f"{said}; lower concurrency, or ask fewer runs of it at once; answers so far are kept")
        for other in sorted(self._endpoints, key=lambda each: each is endpoint):
            try:
                await other.check(await self._client(other))
            except Fault as why:
                said += f"; checked again, {other}: {why.message}"
                continue
            other.health.answered()
            return Refusal(request.key, f"{said}; other requests are answered, so it is this one", gave_up=True)
        raise ServiceError(f"a request {said}; no server passes its check; answers so far are kept")

    async def _claim(self, avoid: Endpoint | None) -> Endpoint:
        """Wait for an endpoint with room. Raises ServiceError when all have been down for too long."""
        while self._over is None:
            now = time.monotonic()
            ready = [each for each in self._endpoints if each.health.has_room(now)]
            if ready:
                chosen = min(ready, key=lambda each: (each is avoid, each.health.in_flight))
                chosen.health.in_flight += 1
                return chosen
            self._still_patient(now)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._next_change(now)):
                    await self._changed.wait()
        raise self._over

    def _still_patient(self, now: float) -> None:
        since = [each.health.down_since for each in self._endpoints]
        if all(start is not None and now - start > self._spec.patience_s for start in since):
            said = "; ".join(f"{each}: {each.health.last}" for each in self._endpoints)
            raise ServiceError(
                f"no vision-language server has answered for {self._spec.patience_s:g} s: {said}; start them, then run "
                "again: answers so far are kept"
            )

    def _next_change(self, now: float) -> float:
        """Seconds until a rest ends or patience does."""
        rests = [each.health.rested_at - now for each in self._endpoints if each.health.rested_at > now]
        ends = [
            each.health.down_since + self._spec.patience_s - now for each in self._endpoints if each.health.down_since
        ]
        return max(SHORTEST_WAIT_S, min([*rests, *(end for end in ends if end > 0)], default=self._spec.patience_s))

    def _tell(self) -> None:
        """Wake whoever waits for an endpoint."""
        self._changed.set()
        self._changed = asyncio.Event()
