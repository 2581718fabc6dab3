"""``python -m benchmarks.review_app [--frames N] [--boundaries N]``: the review app on an hour of video.

A made episode of 108,000 pictures and 4,000 boundaries, its proxy, a real server, a real Chromium: how long to the
first verified picture, how long a refresh takes while somebody zooms and pans without rest, how much heap is used, and
whether the loupe's picture is the one that is saved when a pixel is ninety pictures. Frame times are measured while
the page moves, from one animation frame to the next; beside them, the processor time the page itself needed, since
neighbours on the machine take the clock's, and where it went by Chromium's own trace of the same gestures: without a
graphics card canvases are rasterised on the main thread, and what is drawn decides, not who puts the layers together.
``benchmarks/results/review_app.txt`` holds the last output. Fails if a promise is broken.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import CDPSession

from annotators.review.sheet import Signal
from annotators.review.sheet_signals import MOST_POINTS, thinned
from pipeline.synthetic.scene import Picture
from schemas.time import NS_PER_S
from tests.annotators.review.app.review_page import ReviewPage, stored
from tests.annotators.review.live import BITS, FPS, SIZE, Recording, Server, barcode, recording, served
from tests.browser import chromium

FRAMES, BOUNDARIES = 108_000, 4_000
FIRST_PICTURE_S, REFRESH_MS, HEAP_MB = 2.0, 33.0, 400.0
GESTURES = 240
TRACED = {
    "main thread, all of it": ("CrRendererMain", "ThreadControllerImpl::RunTask"),
    "  of it scripts": ("CrRendererMain", "PageAnimator::serviceScriptedAnimations"),
    "  of it rasterising canvases": ("CrRendererMain", "Canvas2DResourceProviderSharedImage::ProduceCanvasResource"),
    "compositor's thread": ("Compositor", "ThreadControllerImpl::RunTask"),
    "putting layers together": ("VizCompositorThread", "Display::DrawAndSwap"),
}
"""What is told → thread and event of the trace."""
CATEGORIES = ["-*", "toplevel", "devtools.timeline", "blink", "cc", "viz", "benchmark"]

_MOVE = """async (n) => {
  const host = document.querySelector(".lanes-host");
  const box = host.getBoundingClientRect();
  const timeline = joinery.timeline;
  const drawn = [];
  const draw = timeline.draw.bind(timeline);
  timeline.draw = () => { const from = performance.now(); draw(); drawn.push(performance.now() - from); };
  const refreshes = [];
  let last = await new Promise(requestAnimationFrame);
  for (let i = 0; i < n; i++) {
    const out = Math.floor(i / 40) % 2 === 1;
    const pan = i % 4 === 3;
    const where = box.left + box.width * (0.2 + 0.6 * ((i * 37) % 100) / 100);
    host.dispatchEvent(new WheelEvent("wheel", { deltaY: pan ? 160 : out ? 140 : -140, shiftKey: pan, clientX: where, bubbles: true, cancelable: true }));
    const now = await new Promise(requestAnimationFrame);
    refreshes.push(now - last);
    last = now;
  }
  timeline.draw = draw;
  return { refreshes, drawn };
}"""  # noqa: E501


def main() -> int:
    """Everything once; 1 when a promise is broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--boundaries", type=int, default=BOUNDARIES)
    options = parser.parse_args()
    broken: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        made = long_recording(Path(folder), options.frames, options.boundaries)
        with served(Path(folder), made) as server:
            print(f"{options.frames} pictures, {options.boundaries} boundaries, in {time.perf_counter() - began:.0f} s")
            print(f"load of the machine at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
            broken = measured(server, Path(folder) / "trace.json")
    for line in broken:
        print("BROKEN", line)
    return bool(broken)


def long_recording(folder: Path, n_frames: int, n_boundaries: int) -> Recording:
    """Boundaries at seeded places; six signals with a sample per picture, thinned as those of a run are."""
    draw = random.Random(2)
    places = sorted(draw.sample(range(6, n_frames - 6, 6), n_boundaries - 2))
    cuts = {0: 0, **{frame: draw.choice((1, 2, 2, 3, 3, 3)) for frame in places}, n_frames: 0}
    made = recording(folder, "ep-1", cuts=cuts, picture=_cheap())
    times = np.round(np.arange(n_frames) * NS_PER_S / FPS).astype(np.int64)
    signals = tuple(
        _signal(name, unit, times, np.sin(np.arange(n_frames) / (40 + 9 * k)))
        for k, (name, unit) in enumerate(
            [("opening", "0 … 1"), ("x", "m"), ("y", "m"), ("z", "m"), ("speed", "m/s"), ("turn", "rad/s")]
        )
    )
    return replace(made, imported=replace(made.imported, sheet=replace(made.imported.sheet, signals=signals)))


def _signal(name: str, unit: str, times_ns: NDArray[np.int64], values: NDArray[np.float64]) -> Signal:
    kept = np.fromiter(thinned(values.astype(np.float32), MOST_POINTS), np.int64)
    return Signal(name, unit, "right", tuple(times_ns[kept].tolist()), tuple(np.round(values[kept], 3).tolist()))


def _cheap() -> Any:
    """Barcodes repeat after 2^12 pictures, so each is drawn once."""
    drawn: dict[int, Picture] = {}

    def picture(number: int) -> Picture:
        short = number % (1 << BITS)
        if short not in drawn:
            drawn[short] = barcode(short, SIZE)
        return drawn[short]

    return picture


def measured(server: Server, trace: Path) -> list[str]:
    """What a person would wait for, printed; the promises that did not hold."""
    broken = []
    with chromium() as browser:
        page = ReviewPage(browser.new_context(viewport={"width": 1280, "height": 800}), server)
        page.sign_in()
        began = time.perf_counter()
        page.open("ep-1")
        opened_s = time.perf_counter() - began
        broken += _line("first verified picture", opened_s, FIRST_PICTURE_S, "s")
        _zoomed_out(page)
        tools = page.context.new_cdp_session(page.page)
        tools.send("Performance.enable", {"timeDomain": "threadTicks"})
        before = _busy_s(tools)
        found = page.js(_MOVE, GESTURES)
        busy_ms = 1000 * (_busy_s(tools) - before) / GESTURES
        refreshes, drawn = np.array(found["refreshes"]), np.array(found["drawn"])
        print(f"{len(refreshes)} refreshes: median {np.median(refreshes):.1f} ms, most {refreshes.max():.1f} ms")
        broken += _line("refresh while zooming and panning, p95", float(np.percentile(refreshes, 95)), REFRESH_MS, "ms")
        print(f"processor time of the page's main thread per refresh: mean {busy_ms:.1f} ms")
        print(f"drawing the lanes: median {np.median(drawn):.1f} ms, p95 {np.percentile(drawn, 95):.1f} ms")
        _zoomed_out(page)
        browser.start_tracing(path=trace, categories=CATEGORIES)
        page.js(_MOVE, GESTURES)
        browser.stop_tracing()
        for what, ms in attributed(json.loads(trace.read_bytes())["traceEvents"]).items():
            print(f"traced, ms of processor per refresh: {what:<30} {ms:5.1f}")
        broken += _line("heap", page.js("performance.memory.usedJSHeapSize / 1048576"), HEAP_MB, "MB")
        broken += loupe(page)
        page.done()
    return broken


def attributed(events: list[dict[str, Any]]) -> dict[str, float]:
    """Milliseconds of processor per refresh by what they went into."""
    names = {(one["pid"], one["tid"]): one["args"]["name"] for one in events if one["name"] == "thread_name"}
    spent: Counter[tuple[str, str]] = Counter()
    for one in events:
        if one["ph"] == "X":
            spent[names.get((one["pid"], one["tid"]), ""), one["name"]] += one.get("tdur", one.get("dur", 0))
    return {what: spent[where] / 1000 / GESTURES for what, where in TRACED.items()}


def _zoomed_out(page: ReviewPage) -> None:
    page.js("joinery.viewport.show(0, joinery.desk.player.nFrames); joinery.timeline.moved()")


def _busy_s(tools: CDPSession) -> float:
    metrics = tools.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def loupe(page: ReviewPage) -> list[str]:
    """Drag at the whole hour, finish with arrow keys, and compare what is saved with the picture on screen."""
    _zoomed_out(page)
    _, document = stored(page.server)
    order = document.in_order()
    gaps = sorted((b.frame - a.frame, name) for (_, a), (name, b) in pairwise(order) if not b.pinned)
    name = gaps[-1][1]
    frame = document.boundaries[name].frame
    x, y = page.lane_point(frame, "segment")
    mouse = page.page.mouse
    page.select(name)
    mouse.move(x, y)
    mouse.down()
    dragged = page.js("joinery.timeline.drag?.id")
    before = document.boundaries[dragged].frame
    mouse.move(x - 4, y)
    page.press("ArrowRight", "ArrowRight", "ArrowLeft")
    visible = page.page.is_visible(".loupe")
    page.until("joinery.desk.player.verified && joinery.desk.player.frame === joinery.desk.draft?.frame")
    wanted, shown = page.js("joinery.desk.draft.frame"), page.barcode()
    mouse.up()
    page.saved()
    saved = stored(page.server)[1].boundaries[dragged].frame
    per_pixel = page.js("joinery.viewport.framesPerPixel")
    print(f"loupe: {per_pixel:.0f} pictures a pixel, {before} → {wanted}, saved {saved}, barcode on screen {shown}")
    exact = visible and saved == wanted and shown == saved % (1 << BITS) and saved != before
    return [] if exact else ["the loupe's picture is not the one saved"]


def _line(what: str, found: float, most: float, unit: str) -> list[str]:
    print(f"{what}: {found:.1f} {unit} (promised < {most:g})")
    return [] if found < most else [f"{what}: {found:.1f} {unit}, promised < {most:g}"]


if __name__ == "__main__":
    sys.exit(main())
