"""A web server with nothing but the player and media, and a Chromium that looks at it."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import FileResponse
from playwright.sync_api import Browser, Page
from starlette.staticfiles import StaticFiles

from annotators.review.frame_table import FrameTable
from annotators.review.media import Media
from pipeline.video import FROM_THE_START, TO_THE_END, frames
from schemas.episode import VideoWindow
from tests.annotators.review.app.barcode_films import Film, number_on

HERE = Path(__file__).parent
APP = HERE.parents[3] / "annotators" / "review" / "app"
POLICY = "default-src 'self'"
"""The app's own: what the player does must be allowed by it."""


@dataclass
class Site:
    """Where the pages are; ``media`` may grow while it runs."""

    media: Media
    port: int = 0
    without_pictures: bool = False
    """As if the server could draw no single pictures."""
    _server: uvicorn.Server | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def served_raw(film: Film, media: Path, folder: Path) -> str:
    """A film as it is, with its own time stamps as frame table: no short groups to hide behind. Gives its SHA-256."""
    data = film.data()
    path = folder / f"{film.name}.{film.suffix}"
    path.write_bytes(data)
    with path.open("rb") as file:
        found = list(frames(file, VideoWindow("", 0, FROM_THE_START, TO_THE_END), film.name))
        edges_ns = np.array([*(picture.pts_ns for picture in found), found[-1].end_ns])
        numbers = [number_on(picture.frame.to_ndarray(format="gray")) for picture in found]
    assert numbers == list(range(film.first, film.first + len(found))), "the encoder made numbers unreadable"
    sha256 = hashlib.sha256(data).hexdigest()
    (media / f"{sha256}.mp4").write_bytes(data)
    (media / f"{sha256}.times").write_bytes(FrameTable(edges_ns).to_bytes())
    return sha256


@contextmanager
def serving(media: Path) -> Iterator[Site]:
    """A real server in a thread of its own; answers ranges, as the product does."""
    media.mkdir(exist_ok=True)
    site = Site(Media(media))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    site.port = listening.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(_app(site), log_level="warning"))
    thread = Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.should_exit = True
        thread.join(10)


def _app(site: Site) -> FastAPI:
    app = FastAPI()

    @app.middleware("http")
    async def policy(request: Any, handle: Any) -> Any:
        answer = await handle(request)
        answer.headers["Content-Security-Policy"] = POLICY
        return answer

    @app.get("/media/{name}")
    def file(name: str) -> FileResponse:
        sha256, _, kind = name.partition(".")
        try:
            path = site.media.mp4(sha256) if kind == "mp4" else site.media.times(sha256)
        except KeyError as error:
            raise HTTPException(404, str(error)) from error
        return FileResponse(path, media_type="video/mp4" if kind == "mp4" else "application/octet-stream")

    @app.get("/media/{sha256}/frames/{number}.jpg")
    def picture(sha256: str, number: int, h: int = 0) -> Response:
        if site.without_pictures:
            raise HTTPException(503)
        return Response(site.media.picture(sha256, number, h), media_type="image/jpeg")

    app.mount("/app", StaticFiles(directory=APP))
    app.mount("/harness", StaticFiles(directory=HERE))
    return app


def opened(browser: Browser, site: Site, *, before: str = "") -> Page:
    """A page with the harness on it; ``before`` runs before anything else does."""
    page = browser.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"the page failed: {error}"))
    if before:
        page.add_init_script(before)
    page.goto(f"{site.url}/harness/player_harness.html")
    page.evaluate("window.harness || new Promise((is) => window.addEventListener('harness', is, { once: true }))")
    return page


def view(sha256: str, name: str = "front", start_ns: int = 0) -> dict[str, Any]:
    """A view as an episode's sheet has it."""
    return {"name": name, "sha256": sha256, "start_ns": start_ns}


def call(page: Page, method: str, *arguments: Any) -> Any:
    """A method of the harness."""
    return page.evaluate("([method, given]) => harness[method](...given)", [method, list(arguments)])
