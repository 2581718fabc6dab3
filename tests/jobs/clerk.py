"""A model server that can read and cannot see: it answers out of the kinematic table, over real HTTP.

What a run needs of a model is well-formed, sensible answers; this one gives the detector's actions their usual names.
It runs in threads of the test's process, counts what it is asked, and writes something else or dies when told to.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MODEL = "clerk"
VERB_BEFORE = {
    "grasp": "reach", "lift": "grasp", "transport": "lift", "support": "move", "release": "place", "retreat": "release",
    "slip": "move", "miss": "reach", "contact": "reach",
}  # fmt: skip
"""What an action that ends with such a cut usually is."""
_LINE = re.compile(r"^(E\d+) ([\d.]+)-([\d.]+)[^:]*: (.*?)(?: cuts .*)?$")


@dataclass
class Clerk:
    """One server's memory."""

    url: str = ""
    questions: list[str] = field(default_factory=list)
    """The text of every question but probes."""
    said: dict[tuple[str, str], str] = field(default_factory=dict)
    """Verb by instruction and end time, to agree with itself when asked again."""
    trouble: Callable[[int], str | None] = lambda _number: None
    """Other text to answer a question with; None to answer properly."""
    merges: bool = False
    """Whether it sees one action in the whole window."""
    dies_at: int | None = None
    """From this question on nobody answers anything."""
    quotes_keys: bool = False
    """Whether it refuses questions with the very header that the key came in."""
    notebook: Path | None = None
    """Keeps what was said beyond the death of its process: a model is the same before and after, so must this be."""

    def __post_init__(self) -> None:
        if self.notebook is not None and self.notebook.exists():
            for line in self.notebook.read_text(encoding="utf-8").splitlines():
                task, end, verb = json.loads(line)
                self.said[task, end] = verb

    @property
    def dead(self) -> bool:
        return self.dies_at is not None and len(self.questions) >= self.dies_at

    def answer(self, text: str, schema: dict[str, Any]) -> str:
        if "ready" in schema["properties"]:
            return json.dumps({"ready": schema["properties"]["ready"]["enum"][0]})
        self.questions.append(text)
        spoilt = self.trouble(len(self.questions))
        if spoilt is not None:
            return spoilt
        return json.dumps(self._tree(text) if "rows" in schema["properties"] else self._verify(text))

    def _tree(self, text: str) -> dict[str, Any]:
        rows: list[dict[str, Any]] = []
        task = text.splitlines()[0]
        last = set(re.findall(r"C\d+", text.splitlines()[-1])) if "last row" in text else set()
        for line in text.splitlines():
            cells = line.split(",")
            if not re.fullmatch(r"C\d+", cells[0]) or (len(cells) < 4 and cells[0] not in last):
                continue
            verb = VERB_BEFORE.get(cells[2], "move")
            self._note(task, cells[1], verb)
            number = len(rows) + 1
            rows.append({"end": cells[0], "l2": 1, "l1": number, "verb": verb, "text": f"{verb.capitalize()} it"})
        rows = rows[-1:] if self.merges else rows
        subtasks = [{"l2": 1, "verb": "move", "text": "Handle things"}]
        return {"observations": ["a table"], "rows": rows, "subtasks": subtasks, "task": "Tidy up", "dropped": []}

    def _note(self, task: str, end: str, verb: str) -> None:
        self.said[task, end] = verb
        if self.notebook is not None:
            with self.notebook.open("a", encoding="utf-8") as notes:
                notes.write(json.dumps([task, end, verb]) + "\n")

    def _verify(self, text: str) -> dict[str, Any]:
        task, events = text.splitlines()[0], []
        for name, _, end, offers in filter(None, (m and m.groups() for m in map(_LINE.match, text.splitlines()))):
            letters = {
                offer.partition("=")[2]: offer[0] for offer in re.findall(r"[abc]=[a-z ]+?(?= [abc]=|$)", offers)
            }
            pick = letters.get(self.said.get((task, end), ""), "a")
            events.append({"id": name, "pick": pick, "held": "unclear", "reached": "unclear"})
        return {"events": events}


@contextmanager
def clerk_server(host: str = "127.0.0.1", port: int = 0, notebook: Path | None = None) -> Iterator[Clerk]:
    """A clerk at work, at any free port unless told which."""
    clerk = Clerk(notebook=notebook)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it overrides
            pass

        def do_GET(self) -> None:
            if clerk.dead:
                self._hang_up()
                return
            self._send({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if clerk.dead:
                self._hang_up()
                return
            if clerk.quotes_keys:
                self._send({"error": {"message": f"no quota for {self.headers.get('authorization')}"}}, 400)
                return
            text = body["messages"][-1]["content"][-1]["text"]
            said = clerk.answer(text, body["response_format"]["json_schema"]["schema"])
            message = {"role": "assistant", "content": said}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": len(text) // 3, "completion_tokens": len(said) // 3}
            reply = {"id": f"chatcmpl-{self.headers.get('x-request-id')}", "object": "chat.completion", "model": MODEL}
            self._send({**reply, "choices": [choice], "usage": usage})

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.close()

        def _send(self, value: dict[str, Any], status: int = 200) -> None:
            raw = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

    server = ThreadingHTTPServer((host, port), Handler)
    clerk.url = f"http://{host}:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield clerk
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def serve(host: str, port: int, notebook: str) -> None:
    """A clerk in a process of its own, which can be killed; the next one goes on with its notebook."""
    with clerk_server(host, port, Path(notebook)):
        threading.Event().wait()
