"""A real Chromium on a real server, and what a person does in it, as methods."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import BrowserContext, Dialog, Page

from annotators.review.document import Document
from annotators.review.log import load_document
from tests.annotators.review.live import BITS, SIZE, Server, password_of

SAVED_MS = 15_000

_READ_BARCODE = """(size) => {
  const [width, height, bits] = size;
  const seen = joinery.desk.player.master.visible;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.drawImage(seen, 0, 0, width, height);
  const bar = Math.floor(width / (bits + 2));
  let number = 0;
  for (let at = 0; at < bits; at++) {
    const [r] = context.getImageData(Math.round((at + 1) * bar), 24, 1, 1).data;
    number = number * 2 + (r > 128 ? 1 : 0);
  }
  return number;
}"""


class ReviewPage:
    """One tab of the app. What it does wrong on its own (errors in the page) fails the test at `done`."""

    def __init__(self, context: BrowserContext, server: Server) -> None:
        self.context, self.server = context, server
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def sign_in(self, name: str = "") -> None:
        """By the printed address, or with an account."""
        if not name:
            self.page.goto(self.server.open_url)
        else:
            self.page.goto(self.server.url)
            self.page.fill("input[name=name]", name)
            self.page.fill("input[name=password]", password_of(name))
            self.page.click("button:has-text('Log in')")
        self.page.wait_for_selector(".queue-row, .empty")

    def open(self, review_id: str = "ep-1", *, mode: str = "timeline", query: str = "") -> None:
        """An episode, until its picture is verified."""
        self.page.evaluate("mode => localStorage.setItem('joinery.view', JSON.stringify({mode, signals: true}))", mode)
        self.page.goto(f"{self.server.url}/#/episode/{review_id}{query}")
        self.ready()

    def reload(self) -> None:
        """Also when something still waits to be sent and the page asks whether to leave."""

        def leave(dialog: Dialog) -> None:
            dialog.accept()

        self.page.on("dialog", leave)
        self.page.reload()
        self.page.remove_listener("dialog", leave)
        self.ready()

    def ready(self) -> None:
        self.page.wait_for_selector(".lanes-host canvas")
        if self.js("joinery.desk.mode") == "timeline":
            self.page.wait_for_selector("[data-verified=true]")

    def js(self, expression: str, argument: Any = None) -> Any:
        """The value of an expression in the page."""
        return self.page.evaluate(expression, argument)

    def until(self, expression: str, within_s: float = 15) -> None:
        """Wait until something is so. The page's own policy forbids what Playwright waits with."""
        give_up = time.monotonic() + within_s
        while not self.js(expression):
            assert time.monotonic() < give_up, f"not within {within_s} s: {expression}"
            time.sleep(0.02)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def settled(self) -> None:
        """Nothing is on its way inside the page: no draft, no seek, no deed."""
        self.until("!joinery.desk.draft && !joinery.desk.committing")
        self.js("joinery.desk.live.making.then(() => joinery.desk.player.settled())")

    def saved(self) -> int:
        """Wait until everything is acknowledged; the revision then."""
        self.settled()
        self.page.wait_for_selector("[data-state=saved]", timeout=SAVED_MS)
        return int(self.js("joinery.desk.live.rev"))

    def select(self, boundary_id: str) -> None:
        self.js("id => joinery.desk.select({kind: 'boundary', id, level: joinery.desk.level})", boundary_id)

    def do(self, operation: dict[str, Any] | str) -> str:
        """A deed, as a gesture would make it; the message of what it was refused for, else empty."""
        return str(
            self.js("operation => joinery.desk.live.do(operation).then(() => '', error => error.message)", operation)
        )

    def shown(self) -> Document:
        """The document on screen."""
        return load_document(self.js("joinery.desk.document"))

    def barcode(self) -> int:
        """The number burnt into the picture on screen."""
        return int(self.js(_READ_BARCODE, [SIZE.width, SIZE.height, BITS])) >> 0

    def lane_point(self, frame: float, level: str) -> tuple[float, float]:
        """Where a picture's left edge is in a lane, on the page."""
        return tuple(  # type: ignore[return-value]
            self.js(
                """async ([frame, level]) => {
                  const { rows } = await import("/app/lanes.js");
                  const box = document.querySelector(".lanes-host canvas").getBoundingClientRect();
                  const at = rows(joinery.desk.folded);
                  return [box.left + joinery.viewport.x(frame), box.top + at.lanes[level] + 14];
                }""",
                [frame, level],
            )
        )

    def done(self) -> None:
        self.page.close()
        assert self.errors == []


def stored(server: Server, review_id: str = "ep-1", name: str = "") -> tuple[int, Document]:
    """What the server has, asked by the printed address or by an account."""
    with server.client(name) as client:
        page = client.get(f"/api/episodes/{review_id}").json()
    return int(page["rev"]), load_document(page["document"])


def log_of(server: Server, review_id: str = "ep-1", name: str = "") -> list[dict[str, Any]]:
    """Every entry of the server's log."""
    with server.client(name) as client:
        entries: list[dict[str, Any]] = client.get(f"/api/episodes/{review_id}/log").json()["entries"]
    return entries
