"""``joinery policy serve``: a policy behind a websocket, one chunk per message.

Robots are no browsers: a connection that a page in a browser opens is refused, since any page may open one to this
machine. Where others reach the address, clients say a token, as a bearer's.
Clients come and go and are independent: what is wrong in a message is answered as an error in text (so that a client
that expects an array map notices) and closes nothing. Inference runs in one thread beside the event loop, so a request
never waits for another client's network, ``/healthz`` answers while the model is at work, and requests are taken in the
order they came.
"""

import asyncio
import hmac
import json
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, TypeAlias

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from trainer.next_event import Durations, NextEvent, Planner
from trainer.policy import WallWMPolicy
from trainer.policy_client import MAX_BYTES, packed, unpacked
from trainer.policy_messages import Asked, answer_of, asked_of

HEALTH = "/healthz"


@dataclass(frozen=True)
class Address:
    """Where to listen; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 8765


Planners: TypeAlias = Mapping[str, Callable[[str], Planner]]
"""By name, what makes the planner of a task."""


class PolicyServer:
    """A policy, what it says of itself, and how often it was asked."""

    def __init__(
        self,
        policy: WallWMPolicy,
        metadata: dict[str, Any],
        planners: Planners = MappingProxyType({}),
        token: str = "",
    ) -> None:
        """``planners`` are for clients that say a task instead of an event; the first is the usual one.

        With ``token``, who does not say it is not served.
        """
        self._token = token
        self._policy, self._planners = policy, planners
        self._metadata = packed(metadata)
        self._durations = Durations(policy.embodiment.durations_s)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="policy")
        self._clients = self._answered = self._refused = 0

    async def run(self, address: Address, on_ready: Callable[[str, int], None]) -> None:
        """Serve until the process is told to end; ``on_ready`` is called with the address when clients may come.

        Raises OSError when the port is taken.
        """
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with self.serving(address) as server:
            on_ready(*server.sockets[0].getsockname()[:2])
            await stop.wait()
        self._thread.shutdown(cancel_futures=True)

    def serving(self, address: Address) -> AbstractAsyncContextManager[Server]:
        """The websocket server, as an asynchronous context."""
        served: AbstractAsyncContextManager[Server] = serve(
            self._talk,
            address.host,
            address.port,
            process_request=self._admit,
            origins=[None],  # what a browser sends; a robot's client sends none
            max_size=MAX_BYTES,
            compression=None,  # pictures do not shrink
        )
        return served

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to a plain HTTP request for the server's health, or a refusal; None goes on to the websocket."""
        if request.path != HEALTH:
            said = request.headers.get("authorization", "")
            if not self._token or hmac.compare_digest(said.encode(), f"Bearer {self._token}".encode()):
                return None
            self._refused += 1
            return connection.respond(HTTPStatus.UNAUTHORIZED, "this server asks for a token (docs/policy.md)\n")
        counts = {"clients": self._clients, "answered": self._answered, "refused": self._refused}
        return connection.respond(HTTPStatus.OK, json.dumps({"status": "ok", **counts}) + "\n")

    async def _talk(self, connection: ServerConnection) -> None:
        """One client, until it leaves."""
        self._clients += 1
        try:
            await connection.send(self._metadata)
            async for message in connection:
                await connection.send(await self._reply(message))
        except ConnectionClosed:
            pass  # it left without a goodbye: no matter
        finally:
            self._clients -= 1

    async def _reply(self, message: str | bytes) -> bytes | str:
        came = time.perf_counter()
        try:
            if isinstance(message, str):
                raise ValueError("found a message in text, expected msgpack in binary")
            asked = asked_of(unpacked(message), self._durations)
            answer = await asyncio.get_running_loop().run_in_executor(self._thread, self._infer, asked, came)
        except ValueError as error:
            self._refused += 1
            return _error("bad_request", str(error))
        except (RuntimeError, ArithmeticError, MemoryError) as error:  # the device's memory, say; the next may do
            self._refused += 1
            return _error("failed", f"{type(error).__name__}: {error}")
        self._answered += 1
        return answer

    def _infer(self, asked: Asked, came: float) -> bytes:
        began = time.perf_counter()
        observation, duration_s = asked.observation, asked.duration_s
        if asked.task is not None:
            event = self._planned(asked, asked.task)
            if event is None:
                return packed({"done": True})
            observation = replace(observation, text=event.text, text_SC=event.text_SC)
            duration_s = event.duration_s
        assert duration_s is not None
        chunk = self._policy.act(observation, duration_s, asked.seed, sampling=asked.sampling(self._policy.sampling))
        infer_ms, waited_ms = (time.perf_counter() - began) * 1e3, (began - came) * 1e3
        return packed(answer_of(chunk, observation, infer_ms, waited_ms))

    def _planned(self, asked: Asked, task: str) -> NextEvent | None:
        if not self._planners:
            raise ValueError("task: this server has no planner (--vlm, --heads); say the next event as prompt")
        name = asked.planner or next(iter(self._planners))
        if name not in self._planners:
            raise ValueError(f"planner: found {name!r}, this server has {list(self._planners)}")
        return self._planners[name](task).next(asked.observation, asked.past)


def _error(code: str, message: str) -> str:
    return json.dumps({"error": {"code": code, "message": message}}, ensure_ascii=False)


def serve_policy(server: PolicyServer, address: Address, on_ready: Callable[[str, int], None]) -> None:
    """Serve until SIGINT or SIGTERM. Raises OSError when the port is taken."""
    asyncio.run(server.run(address, on_ready))
