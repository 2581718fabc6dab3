"""``python -m benchmarks.screenshots FOLDER [--url ADDRESS] [--page FILE ...]``: pictures of every page, to look at.

Takes every page of the review app in both themes at both sizes (1280×800, 1920×1080) into FOLDER, over a small made
review; with ``--url``, over a server that runs (the address that `joinery review serve` printed). ``--page`` adds
static pages, such as the ``report.html`` of `joinery report`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.annotators.review.live import recording, served
from tests.browser import chromium

SIZES = {"laptop": (1280, 800), "large": (1920, 1080)}
THEMES = ("dark", "light")
SETTLE_MS = 900


def main() -> int:
    """One file per page, theme and size; prints the folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", help="the address printed by `joinery review serve`, with its token")
    parser.add_argument("--page", type=Path, action="append", default=[], help="a static page to take too")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with _address(options.url) as url, chromium() as browser:
        for theme in THEMES:
            for size, (width, height) in SIZES.items():
                context = browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme="dark" if theme == "dark" else "light"
                )
                take = Camera(context.new_page(), options.folder, f"{theme}-{size}")
                if url:
                    review_app(take, url)
                for path in options.page:
                    take.static(path)
                context.close()
        if url:
            _login(browser, options.folder, url)
    print(options.folder)
    return 0


class Camera:
    """Takes pictures of one tab, under names that sort by page."""

    def __init__(self, page: Page, folder: Path, suffix: str) -> None:
        self.page, self.folder, self.suffix = page, folder, suffix

    def shot(self, name: str, *, whole: bool = False) -> None:
        self.page.wait_for_timeout(SETTLE_MS)
        self.page.screenshot(path=self.folder / f"{name}-{self.suffix}.png", full_page=whole)

    def static(self, path: Path) -> None:
        self.page.goto(path.resolve().as_uri())
        self.shot(path.stem)
        self.shot(f"{path.stem}-whole", whole=True)


@contextmanager
def _address(url: str | None) -> Iterator[str]:
    if url:
        yield url
        return
    with tempfile.TemporaryDirectory() as folder:
        made = [recording(Path(folder), f"ep-{k}", views=("front", "wrist"), risk=k / 5) for k in (1, 2, 3)]
        with served(Path(folder), *made) as server:
            yield server.open_url


def review_app(take: Camera, url: str) -> None:
    """Every page, and the states of an episode that look different."""
    page, base = take.page, url.partition("/?")[0]
    page.goto(url)
    page.wait_for_selector(".queue-row, .empty")
    take.shot("1-queue")
    first = page.get_attribute("a.queue-row", "href")
    for name in ("search", "agreement", "throughput", "conflicts", "people"):
        page.goto(f"{base}/#/{name}")
        if name == "search":
            page.goto(f"{base}/#/search?q=grasp")
        take.shot(f"3-{name}")
    if first is not None:
        for mode in ("timeline", "card"):
            page.evaluate("mode => localStorage.setItem('joinery.view', JSON.stringify({mode, signals: true}))", mode)
            page.goto(f"{base}/{first}")
            page.reload()
            page.wait_for_selector(".lanes-host canvas", timeout=120_000)
            page.wait_for_timeout(SETTLE_MS)
            page.keyboard.press("Tab")
            take.shot(f"2-episode-{mode}")
            if mode == "timeline":
                _states(take)


def _states(take: Camera) -> None:
    page = take.page
    keys = {"help": "Shift+Slash", "caption": "Enter", "reject": "KeyX", "quarantine": "Shift+Digit1"}
    for name, key in keys.items():
        page.keyboard.press(key)
        take.shot(f"2-episode-{name}")
        page.keyboard.press("Escape")


def _login(browser: Browser, folder: Path, url: str) -> None:
    for theme in THEMES:
        context = browser.new_context(
            viewport={"width": 1280, "height": 800}, color_scheme="dark" if theme == "dark" else "light"
        )
        camera = Camera(context.new_page(), folder, f"{theme}-laptop")
        camera.page.goto(url.partition("/?")[0])
        camera.shot("0-login")
        context.close()


if __name__ == "__main__":
    sys.exit(main())
