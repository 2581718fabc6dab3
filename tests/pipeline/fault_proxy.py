"""A network and a store at their worst: an HTTP proxy process before the S3 server that spoils requests by a seed.

Every request gets a number; seed and number decide whether and how it is spoilt, so a seed names an experiment (which
request gets which number is up to the client's threads). What is done goes to a log, one JSON line per spoilt request.
An outage spoils every request from one number on, for some seconds or until the process ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

FAULTS = ("500", "slow_down", "stall", "stall_body", "reset_upload", "reset_download", "truncate", "lost_answer")
"""Error and throttling answers; silence before and in the answer; connections lost while sending and while receiving;
an answer that ends too soon; and one that is lost although the request was carried out."""
OUTAGE = "outage"
FEW = 10
_COUNT = "/-/requests"
ROOT = Path(__file__).resolve().parents[2]
_ERRORS = {"500": ("500 Internal Server Error", "InternalError"), "slow_down": ("503 Slow Down", "SlowDown")}
_ABORT = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Weather:
    """What is to go wrong."""

    seed: int = 0
    rate: float = 0.0
    """Share of requests that are spoilt."""
    kinds: Sequence[str] = FAULTS
    methods: Sequence[str] = ()
    """Only requests by these; all without any."""
    containing: str = ""
    """Only requests whose path contains this."""
    at_most: int = 1 << 30
    """So many faults and no more."""
    stalls: int = 0
    """Of the spoilt requests so many, the first ones after a while, are met with silence, whatever ``kinds`` says."""
    stall_s: float = 60.0
    delay_s: float = 0.0
    """How long every request waits, as on a long way."""
    outage_from: int = 0
    """The request at which the store goes away; 0 for never."""
    outage_s: float = 1e9


class Proxy:
    """Relays requests to the real server and spoils some of them."""

    def __init__(self, to: tuple[str, int], weather: Weather, log: Path) -> None:
        self._to, self._weather, self._log = to, weather, log
        self._n = self._spoilt = 0
        self._out_until = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the client, request after request."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            while await self._request(reader, writer):
                pass
        with suppress(ConnectionError):
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        line, headers = _parsed(head)
        if _COUNT in line:
            said = str(self._n).encode()
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(said)}\r\n\r\n".encode() + said)
            return False
        fault = self._fault(line)
        await asyncio.sleep(self._weather.delay_s)
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = int(headers.get("content-length", 0))
        if fault in ("reset_upload", OUTAGE):
            await reader.readexactly(length // 2)
            return _abort(writer)
        body = await reader.readexactly(length)
        if fault in _ERRORS:
            status, code = _ERRORS[fault]
            said = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{fault}</Message></Error>".encode()
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(said)}\r\n\r\n".encode() + said)
            return True
        if fault == "stall":
            await asyncio.sleep(self._weather.stall_s)
            return _abort(writer)
        answer_head, answer = await self._forwarded(head, body, no_body=line.startswith("HEAD"))
        if fault == "lost_answer":
            return _abort(writer)
        whole = answer_head + answer
        if fault in ("stall_body", "reset_download", "truncate"):
            writer.write(whole[: len(answer_head) + len(answer) // 2] if answer else whole[: len(whole) // 2])
            await writer.drain()
            if fault == "stall_body":
                await asyncio.sleep(self._weather.stall_s)
            if fault == "truncate":
                return False
            return _abort(writer)
        writer.write(whole)
        await writer.drain()
        return True

    def _fault(self, line: str) -> str:
        self._n += 1
        weather, now = self._weather, time.monotonic()
        if self._n == weather.outage_from:
            self._out_until = now + weather.outage_s
        method, path, _ = line.split(" ", 2)
        spoil = random.Random(f"{weather.seed}:{self._n}")
        concerned = weather.containing in path and (not weather.methods or method in weather.methods)
        kind = ""
        if now < self._out_until:
            kind = OUTAGE
        elif concerned and self._spoilt < weather.at_most and spoil.random() < weather.rate:
            kind = spoil.choice(list(weather.kinds))
            if FEW < self._spoilt <= FEW + weather.stalls:
                kind = spoil.choice(["stall", "stall_body"])
            self._spoilt += 1
        if kind:
            with self._log.open("a", encoding="utf-8") as log:
                log.write(json.dumps({"n": self._n, "method": method, "path": path, "fault": kind}) + "\n")
        return kind

    async def _forwarded(self, head: bytes, body: bytes, *, no_body: bool) -> tuple[bytes, bytes]:
        """The real server's answer, head and body."""
        reader, writer = await asyncio.open_connection(*self._to, limit=1 << 20)
        lines = [one for one in head.split(b"\r\n") if one and not one.lower().startswith((b"expect:", b"connection:"))]
        writer.write(b"\r\n".join([*lines, b"Connection: close", b"", b""]) + body)
        await writer.drain()
        whole = await reader.read()
        while more := await reader.read():
            whole += more
        writer.close()
        answer_head, _, answer = whole.partition(b"\r\n\r\n")
        status, headers = _parsed(answer_head + b"\r\n\r\n")
        kept = [
            f"{name}: {value}" for name, value in headers.items() if name not in ("connection", "transfer-encoding")
        ]
        if headers.get("transfer-encoding") == "chunked":
            answer = _unchunked(answer)
        if "content-length" not in headers and not no_body:
            kept.append(f"content-length: {len(answer)}")
        return "\r\n".join([status, *kept, "", ""]).encode(), answer


def _parsed(head: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        n = int(size, 16)
        whole, body = whole + body[:n], body[n + 2 :]
    return whole


def _abort(writer: asyncio.StreamWriter) -> bool:
    """Break the connection off, as a cut cable or a killed server does."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    writer.transport.abort()
    return False


@dataclass(frozen=True)
class Spoilt:
    """A running proxy."""

    endpoint: str
    log: Path

    def requests(self) -> int:
        """How many there were so far."""
        with urllib.request.urlopen(f"{self.endpoint}{_COUNT}") as answer:
            return int(answer.read())

    def faults(self) -> list[dict[str, str]]:
        """What was spoilt so far."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


@contextmanager
def spoiling(endpoint: str, weather: Weather, log: Path) -> Iterator[Spoilt]:
    """The proxy process before a server, for as long as the block lasts."""
    log.write_text("", encoding="utf-8")
    said = json.dumps(vars(weather))
    command = [sys.executable, "-m", "tests.pipeline.fault_proxy", endpoint.split("://")[1], said, str(log)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Spoilt(f"http://127.0.0.1:{process.stdout.readline().strip()}", log)
    finally:
        process.kill()
        process.wait()


async def _main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("to", "weather", "log"):
        parser.add_argument(name)
    asked = parser.parse_args()
    host, _, port = asked.to.partition(":")
    proxy = Proxy((host, int(port)), Weather(**json.loads(asked.weather)), Path(asked.log))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
