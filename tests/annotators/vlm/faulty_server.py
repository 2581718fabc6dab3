"""A server that speaks the OpenAI protocol and fails as it is told: a process of its own, so that it can die.

A request's text says what shall go wrong, one fault per try: ``faults=500,close id=7`` is answered at the third try,
and ``then=500`` is what happens at every try after those. The answer quotes the id, so a test sees whether answers
were joined to their questions. Tries are counted in files, which outlive the process. Only the standard library is
imported: it starts in a tenth of a second.
"""

import argparse
import contextlib
import hashlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MODEL = "tiny-vl"
START_S = 30.0
FOR_EVER_S = 60.0


class FaultyServer(ThreadingHTTPServer):
    """One server and what it was told to do wrong for everybody."""

    daemon_threads = True
    request_queue_size = 256
    options: argparse.Namespace
    at_once = 0

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.counting = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it overrides
        pass

    def do_GET(self) -> None:
        if self.path == "/health":
            self._hang_if_told()
            self._send(200, b"")
        elif self._let_in():
            self._json(200, {"object": "list", "data": [{"id": self.server.options.model, "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not self._let_in():
            return
        if body["model"] != self.server.options.model:
            self._json(404, {"error": {"message": f"The model `{body['model']}` does not exist."}})
            return
        *pictures, last = body["messages"][-1]["content"]
        assert last["type"] == "text"
        assert all(each["image_url"]["url"].startswith("data:image/jpeg;base64,") for each in pictures)
        if pictures and self.server.options.blind:
            self._json(400, {"error": {"message": "At most 0 image(s) may be provided in one prompt."}})
            return
        words = dict(word.split("=", 1) for word in last["text"].split() if "=" in word)
        self._note(last["text"])
        if "probe" in self.headers.get("x-request-id", ""):
            self._answer(self._probed(body))
            return
        faults = [fault for fault in words.get("faults", "").split(",") if fault]
        tried = self._tries(last["text"])
        fault, _, value = (faults[tried] if tried < len(faults) else words.get("then", "")).partition(":")
        with self.server.counting:
            self.server.at_once += 1
            (Path(self.server.options.state) / f"at_once-{self.server.at_once}").touch()
        try:
            self._go_wrong(fault, value, json.dumps({"id": words.get("id", "")}))
        finally:
            with self.server.counting:
                self.server.at_once -= 1

    def _go_wrong(self, fault: str, value: str, text: str) -> None:
        match fault:
            case "":
                self._answer(text)
            case "slow":
                time.sleep(float(value))
                self._answer(text)
            case "hang":
                time.sleep(FOR_EVER_S)
            case "drip":
                self._drip()
            case "drop":
                self._reset()
            case "close":
                self._answer(text, keep=0.5)
            case "die":
                os._exit(1)
            case "html":
                self._send(200, b"<html><body>Welcome to nginx!</body></html>", "text/html")
            case "empty":
                self._send(200, b"")
            case "list":
                self._json(200, [1, 2])
            case "nochoices":
                self._answer(text, choices=[])
            case "twochoices":
                self._answer(text, choices=[{"index": 0}, {"index": 1}])
            case "othermodel":
                self._answer(text, model="somebody-else")
            case "otherid":
                self._answer(text, id="chatcmpl-of-another-request")
            case "null":
                self._answer(None)
            case "blank":
                self._answer("  ")
            case "nousage":
                self._answer(text, usage=None)
            case "abort":
                self._answer(text, reason="abort")
            case "length":
                self._answer(text[:4], reason="length")
            case "refuse":
                self._answer(None, refusal="I cannot help with that.")
            case "gzip":
                self._send(200, b"no gzip", encoding="gzip")
            case "quote":  # after so much padding: what is shown of a message is cut somewhere
                said = "." * int(value or 0) + f"bad: {self.headers.get('authorization')}"
                self._json(400, {"error": {"message": said}})
            case "page":
                self._send(200, f"<html>{'.' * int(value)}{self.headers.get('authorization')}".encode(), "text/html")
            case "decline":
                self._answer(None, refusal=f"{'.' * int(value)}{self.headers.get('authorization')}")
            case status:
                wait = {"retry-after": value} if value else {}
                self._json(int(status), {"error": {"message": f"told to say {status}"}}, wait)

    def _probed(self, body: dict[str, Any]) -> str:
        schema = body["response_format"]["json_schema"]["schema"]
        if self.server.options.ignore_schema:
            return "Hello, dear reader."
        told = {name: each["enum"][0] for name, each in schema["properties"].items()}
        return json.dumps(told, indent=1)

    def _let_in(self) -> bool:
        options, sent = self.server.options, self.headers.get("authorization", "")
        if options.key and sent != f"Bearer {options.key}":
            self._note("not let in")
            self._json(options.door, {"error": {"message": f"Incorrect API key provided: {sent}"}})
            return False
        return True

    def _answer(
        self, text: str | None, reason: str = "stop", keep: float = 1.0, refusal: str | None = None, **changes: Any
    ) -> None:
        message = {"role": "assistant", "content": text, "refusal": refusal}
        reply = {
            "id": f"chatcmpl-{self.headers.get('x-request-id')}" if self.server.options.echo else "chatcmpl-1",
            "object": "chat.completion",
            "model": self.server.options.model,
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
        raw = json.dumps({**reply, **changes}).encode()
        self._send(200, raw, keep=keep)

    def _json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(value).encode(), headers=headers)

    def _send(
        self,
        status: int,
        raw: bytes,
        kind: str = "application/json",
        headers: dict[str, str] | None = None,
        keep: float = 1.0,
        encoding: str = "",
    ) -> None:
        self.send_response(status)
        sent = {"content-type": kind, "content-length": str(len(raw)), **(headers or {})}
        for name, value in (sent | ({"content-encoding": encoding} if encoding else {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw[: int(len(raw) * keep)])
        if keep < 1.0:
            self._reset()

    def _drip(self) -> None:
        """A byte now and then, so that no single wait is long."""
        self.send_response(200)
        self.send_header("content-length", "100000")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b" ")
                time.sleep(0.05)

    def _reset(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _hang_if_told(self) -> None:
        if (Path(self.server.options.state) / "hang").exists():
            time.sleep(FOR_EVER_S)

    def _tries(self, text: str) -> int:
        """How often this text has been tried before, over all lives of the server."""
        file = Path(self.server.options.state) / hashlib.sha256(text.encode()).hexdigest()
        tried = file.stat().st_size if file.exists() else 0
        with file.open("ab") as counter:
            counter.write(b".")
        return tried

    def _note(self, text: str) -> None:
        with (Path(self.server.options.state) / "calls").open("a") as calls:
            calls.write(text + "\n")


def serve(arguments: Sequence[str]) -> None:
    """Serve until killed. Understands vLLM's options too, as far as it needs them, and overlooks the others."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", required=True)
    parser.add_argument("--served-model-name", dest="model", default=MODEL)
    parser.add_argument("--key", default=os.environ.get("VLLM_API_KEY", ""))
    parser.add_argument("--door", type=int, default=401)
    parser.add_argument("--ignore-schema", action="store_true")
    parser.add_argument("--blind", action="store_true")
    parser.add_argument("--no-echo", dest="echo", action="store_false")
    options, _ = parser.parse_known_args(arguments)
    server = FaultyServer(("127.0.0.1", options.port), Handler)
    server.options = options
    server.serve_forever(poll_interval=0.05)


@dataclass
class Running:
    """A server process as a test holds it."""

    state: Path
    port: int
    options: tuple[str, ...]
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self, *options: str) -> None:
        """Start it, or start it again: with other options, if there are any."""
        self.options = options or self.options
        self.state.mkdir(exist_ok=True)
        command = [sys.executable, __file__, "--port", str(self.port), "--state", str(self.state), *self.options]
        self.process = subprocess.Popen(command)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health"):
                return
            time.sleep(0.02)
        raise TimeoutError("the test's own server does not start")

    def forget(self) -> None:
        """Count tries from 0 again."""
        for file in self.state.iterdir():
            file.unlink()

    def revive(self) -> None:
        """Be as at first, whatever a test has done to it."""
        if self.process is None or self.process.poll() is not None or self.options:
            self.kill()
            self.options = ()
            self.start()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def calls(self) -> list[str]:
        """The text of every request that arrived, probes included."""
        file = self.state / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def most_at_once(self) -> int:
        """The most requests that were being answered at one moment."""
        return max(int(file.name.partition("-")[2]) for file in self.state.glob("at_once-*"))

    def asked(self) -> list[str]:
        return [text for text in self.calls() if "id=" in text]


@contextmanager
def faulty_server(folder: Path, *options: str, start: bool = True) -> Iterator[Running]:
    """A server on a port of its own, killed at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = Running(folder, port, options)
    try:
        if start:
            running.start()
        yield running
    finally:
        running.kill()


if __name__ == "__main__":
    serve(sys.argv[1:])
