"""Signals under the lanes: what is drawn in a pixel column is what the line through the samples covers there."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.annotators.review.app.player_site import opened, serving
from tests.browser import chromium

COVERED = """async (cases) => {
  const { covered } = await import("/app/signals.js");
  return cases.map(([frames, values, start, end, columns]) => {
    const { low, high } = covered({ frames: Float64Array.from(frames), values }, start, end, columns);
    return [...low].map((value, i) => (Number.isNaN(value) ? null : [value, high[i]]));
  });
}"""

Case = tuple[list[float], list[float | None], float, float, int]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with serving(tmp_path_factory.mktemp("signals") / "media") as site, chromium() as browser:
        yield opened(browser, site)


def expected(case: Case) -> list[tuple[float, float] | None]:
    """By looking: every sample, and the line where it crosses the edges of columns."""
    frames, values, start, end, columns = case
    edges = np.linspace(start, end, columns + 1)
    found: list[list[float]] = [[] for _ in range(columns)]
    for frame, value in zip(frames, values, strict=True):
        column = int(np.floor((frame - start) * columns / (end - start)))
        if value is not None and 0 <= column < columns:
            found[column].append(value)
    for (a, before), (b, after) in pairwise(zip(frames, values, strict=True)):
        if before is None or after is None:
            continue
        for i in np.flatnonzero((edges > a) & (edges <= b)):
            there = before + (after - before) * (edges[i] - a) / (b - a)
            for column in {i - 1, i} & set(range(columns)):
                found[column].append(there)
    return [(min(seen), max(seen)) if seen else None for seen in found]


def cases() -> Iterator[Case]:
    """From far fewer samples than columns to far more, with gaps, beginning and ending anywhere."""
    draw = np.random.default_rng(4)
    for n in (1, 2, 7, 40, 900):
        for _ in range(6):
            frames = np.sort(draw.choice(2000, n, replace=False) + draw.random(n) * 0.5).tolist()
            values = [None if draw.random() < 0.1 else float(draw.normal()) for _ in range(n)]
            start, end = np.sort(draw.choice(2100, 2, replace=False) - 50.0).tolist()
            yield frames, values, start, end, int(draw.integers(3, 120))


def test_a_column_shows_what_the_line_covers_there(page: Page) -> None:
    made = list(cases())
    for case, found in zip(made, page.evaluate(COVERED, made), strict=True):
        wanted = expected(case)
        assert [one is None for one in found] == [one is None for one in wanted], case
        np.testing.assert_allclose([one for one in found if one], [one for one in wanted if one], atol=1e-9)


def test_the_line_has_no_holes_between_columns(page: Page) -> None:
    frames = [float(frame) for frame in range(0, 1000, 7)]
    values: list[float | None] = [float(np.sin(frame / 30) * 9) for frame in frames]
    (found,) = page.evaluate(COVERED, [[frames, values, 100.0, 900.0, 640]])
    for (low, high), (next_low, next_high) in pairwise(found):
        assert max(low, next_low) <= min(high, next_high) + 1e-9
