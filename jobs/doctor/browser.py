"""The browser that tests and screenshots look at pages with. Runs do not need one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jobs.doctor.check import Check, doubtful, well

NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
_PAGE = (
    "<p id=said></p><script>document.getElementById('said').textContent = 'h264 ' + "
    "(document.createElement('video').canPlayType('video/mp4; codecs=\"avc1.42E01E\"') || 'no')</script>"
)
_LIMIT_S = 20.0
_ADVICE = "apt-get install chromium; only tests, screenshots and reviewers' machines need one"


def browser() -> Iterator[Check]:
    """Draws a page, and asks whether it can play clips."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        yield well("browser", "none; only tests, screenshots and reviewers need one")
        return
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "page.html"
        page.write_text(_PAGE, encoding="utf-8")
        command = [path, *_FLAGS, f"--user-data-dir={scratch}/profile", "--dump-dom", page.as_uri()]
        try:
            drawn = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False).stdout
        except subprocess.TimeoutExpired:
            yield doubtful("browser", f"{path} has drawn nothing in {_LIMIT_S:.0f} s", "a page", _ADVICE)
            return
    if "h264 probably" in drawn or "h264 maybe" in drawn:
        yield well("browser", f"{path} draws pages and plays H.264")
    elif "h264 no" in drawn:
        yield doubtful("browser", f"{path} plays no H.264", "one that plays clips", _ADVICE)
    else:
        yield doubtful("browser", f"{path} draws no page", "a page", _ADVICE)
