"""Debian's Chromium, which has H.264 (Playwright's own has not), for every test and benchmark that looks at a page."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--enable-precise-memory-info"]


def need_chromium() -> None:
    """Skip loudly without the browser; on CI its absence is a failure."""
    if not Path(CHROMIUM).is_file():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{CHROMIUM} is missing: pages are proven in a real browser or not at all")
        pytest.skip(f"{CHROMIUM} is missing: NOTHING was tested in the browser")


@contextmanager
def chromium() -> Iterator[Browser]:
    """One browser for a file of tests."""
    need_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
