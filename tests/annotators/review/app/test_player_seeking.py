"""F1, F3, F5: whatever picture is asked for is the one on the screen, in Chromium, or the player does not say it is.

The number burned into each picture is read back from what is really visible. Naive strategies run on the same files: if
they were right too, this test would be blind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.annotators.review.app.barcode_films import FILMS, N_PICTURES, RAW_FILMS
from tests.annotators.review.app.player_site import Site, call, opened, served_raw, serving, view
from tests.annotators.review.made_media import proxied
from tests.browser import chromium

FEW, MANY = 15, 300
LEAST_WRONG = 0.15
"""Of a naive strategy, on a file that is not all key frames."""
OF_OTHER_CODECS = ("av1_g2", "vp9", "hevc", "mpeg4")
"""Their proxies are H.264 like all others'; `test_proxy` finds every picture of theirs in it, at its own time."""
PROXIED = [pytest.param(name, marks=[pytest.mark.slow] if name in OF_OTHER_CODECS else []) for name in FILMS]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site") / "media") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def made(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """SHA-256 of a film's proxy, by the film's name; made once."""
    folder = tmp_path_factory.mktemp("films")
    return cache(lambda name: proxied(folder, FILMS[name], site.media.folder)[0].sha256)


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    page = opened(browser, site)
    yield page
    page.close()


def picks(n_frames: int, n: int, seed: int = 0) -> list[int]:
    return [0, n_frames - 1, *np.random.default_rng(seed).integers(0, n_frames, n - 2).tolist()]


def wrong(found: list[dict[str, Any]], first: int = 0) -> list[dict[str, Any]]:
    """What was shown or named otherwise than asked, or not verified."""
    return [
        one
        for one in found
        if (one["shown"], one["frame"]) != ([one["asked"] + first] * len(one["shown"]), one["asked"])
        or not one["verified"]
    ]


def goto_all(page: Page, sha256: str, n: int, first: int) -> None:
    call(page, "open", [view(sha256)], "front")
    asked = picks(page.evaluate("harness.player.nFrames"), n)
    found = call(page, "gotos", asked)
    assert [one["asked"] for one in found] == asked
    assert wrong(found, first) == []


@pytest.mark.parametrize("name", PROXIED)
@pytest.mark.parametrize("n", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_goto_shows_the_picture_asked_for(name: str, n: int, page: Page, made: Callable[[str], str]) -> None:
    goto_all(page, made(name), n, FILMS[name].first)


@pytest.mark.parametrize("name", RAW_FILMS)
@pytest.mark.parametrize("n", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_goto_shows_it_in_long_groups_of_pictures_too(
    name: str, n: int, page: Page, site: Site, tmp_path: Path
) -> None:
    """No proxy to help: the player itself is right, or has the server draw the picture."""
    film = RAW_FILMS[name]
    goto_all(page, served_raw(film, site.media.folder, tmp_path), n, film.first)


@pytest.mark.parametrize("strategy", ["i/fps", "@seeked only"])
@pytest.mark.parametrize("name", RAW_FILMS)
@pytest.mark.parametrize("n", [pytest.param(MANY, marks=pytest.mark.slow)])
def test_naive_strategies_fail_every_time(
    strategy: str, name: str, n: int, page: Page, site: Site, tmp_path: Path
) -> None:
    fail_share(strategy, name, n, page, site, tmp_path)


@pytest.mark.parametrize("strategy", ["i/fps", "@seeked only"])
def test_naive_strategies_fail(strategy: str, page: Page, site: Site, tmp_path: Path) -> None:
    fail_share(strategy, "h264_2997", 40, page, site, tmp_path)


def fail_share(strategy: str, name: str, n: int, page: Page, site: Site, tmp_path: Path) -> None:
    film = RAW_FILMS[name]
    call(page, "open", [view(served_raw(film, site.media.folder, tmp_path))], "front")
    call(page, "naive", strategy, film.fps)
    asked = picks(page.evaluate("harness.player.nFrames"), n)
    share = len(wrong(call(page, "gotos", asked), film.first)) / n
    print(f"{name}, {strategy}: {share:.1%} of {n} wrong")
    assert share >= LEAST_WRONG


def test_a_wrong_aim_is_found_out_and_mended(page: Page, site: Site, tmp_path: Path) -> None:
    """The verification alone makes up for seeking as others do."""
    film = RAW_FILMS["h264_2997"]
    call(page, "open", [view(served_raw(film, site.media.folder, tmp_path))], "front")
    call(page, "naive", "i/fps, verified", film.fps)
    found = call(page, "gotos", picks(300, FEW))
    assert wrong(found) == []
    assert any(one["how"] == ["IMG"] for one in found), "no aim was wrong: this proves nothing"


def test_steps_neither_skip_nor_repeat(page: Page, made: Callable[[str], str]) -> None:
    sha256 = made("h264_gop250_b")
    call(page, "open", [view(sha256)], "front", {"frame": 100})
    there, back = call(page, "steps", 60, 1), call(page, "steps", 60, -1)
    assert [one["shown"] for one in there] == [[k] for k in range(101, 161)]
    assert [one["shown"] for one in back] == [[k] for k in range(159, 99, -1)]
    assert [one["shown"] for one in call(page, "steps", 3, 10)] == [[110], [120], [130]]
    assert all(one["verified"] for one in [*there, *back])


def test_a_held_key_counts_every_press_and_shows_only_true_pictures(page: Page, made: Callable[[str], str]) -> None:
    sha256 = made("h264_gop250_b")
    for start, by, ms in ((20, 1, 3_000), (200, -1, 1_000)):
        call(page, "open", [view(sha256)], "front", {"frame": start})
        held = call(page, "hold", ms, 16, by)
        assert held["end"]["frame"] == start + by * held["n"]
        assert held["end"]["shown"] == [start + by * held["n"]]
        passed = [one["frame"] for one in held["passed"]]
        assert passed == sorted(set(passed), reverse=by < 0), "a picture came twice or out of order"
        assert [one["shown"] for one in held["passed"]] == passed
        assert len(passed) > held["n"] / 3, "somebody who holds the key sees pictures go by"


def test_first_and_last_pictures_are_reached_and_kept(page: Page, made: Callable[[str], str]) -> None:
    sha256 = made("h264_vfr")
    call(page, "open", [view(sha256)], "front")
    assert call(page, "steps", 1, -10)[0]["shown"] == [0]
    assert call(page, "steps", 2, N_PICTURES)[-1]["shown"] == [N_PICTURES - 1]
    assert call(page, "seen")["readout"] == f"frame {N_PICTURES - 1} / {N_PICTURES} · 11.467 s · verified"
