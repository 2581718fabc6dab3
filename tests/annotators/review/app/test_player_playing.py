"""F2, F4, F7: a mark after a pause, or while playing, names the picture on the screen, on every camera, or nothing.

As in test_player_seeking.py, numbers are read off the screen, and the strategy other tools use must fail here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.annotators.review.app.barcode_films import FILMS, RAW_FILMS, Film, encoded
from tests.annotators.review.app.player_site import Site, call, opened, served_raw, serving, view
from tests.annotators.review.made_media import proxied
from tests.browser import chromium

LEAST_WRONG = 0.15
NO_CALLBACKS = "HTMLVideoElement.prototype.requestVideoFrameCallback = () => 0"
ONE_OFF = """
const honest = HTMLVideoElement.prototype.requestVideoFrameCallback;
HTMLVideoElement.prototype.requestVideoFrameCallback = function (told) {
  return honest.call(this, (now, seen) => told(now, { ...seen, mediaTime: seen.mediaTime + 1 / 30 }));
};
"""
"""A browser that presents a picture and names the next one."""
OTHERS = {
    "slow": Film("slow", lambda: encoded(pts=range(200), time_base=Fraction(1, 20))),
    "late": Film("late", lambda: encoded(pts=range(290))),
}


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
    films = {**FILMS, **OTHERS}
    return cache(lambda name: proxied(folder, films[name], site.media.folder)[0].sha256)


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    page = opened(browser, site)
    yield page
    page.close()


def plays(n: int, n_frames: int, seed: int = 0) -> list[tuple[int, int, float]]:
    """(start frame, milliseconds, rate)."""
    numbers = np.random.default_rng(seed)
    starts, waits = numbers.integers(0, n_frames - 80, n), numbers.integers(150, 900, n)
    rates = numbers.choice([0.25, 1.0, 2.0], n)
    return [(int(a), int(b), float(c)) for a, b, c in zip(starts, waits, rates, strict=True)]


def misnamed(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Marks that are not what every screen shows."""
    return [one for one in found if one["mark"] is None or set(one["shown"]) != {one["mark"]["frame"]}]


@pytest.mark.parametrize("n", [8, pytest.param(80, marks=pytest.mark.slow)])
def test_a_mark_after_a_pause_is_the_picture_on_the_screen(n: int, page: Page, made: Callable[[str], str]) -> None:
    call(page, "open", [view(made("h264_gop250_b"))], "front")
    found = call(page, "pauses", plays(n, 300))
    assert misnamed(found) == []
    assert {one["mark"]["mark_mode"] for one in found} == {"paused"}
    assert sum(one["frame"] > one["asked"] for one in found) > 0.8 * n, "it did play"


@pytest.mark.slow
@pytest.mark.parametrize("name", RAW_FILMS)
def test_a_mark_after_a_pause_is_right_in_long_groups_too(name: str, page: Page, site: Site, tmp_path: Path) -> None:
    call(page, "open", [view(served_raw(RAW_FILMS[name], site.media.folder, tmp_path))], "front")
    assert misnamed(call(page, "pauses", plays(80, 300))) == []


@pytest.mark.parametrize(
    ("name", "n"), [("h264_2997", 20), *[pytest.param(name, 80, marks=pytest.mark.slow) for name in RAW_FILMS]]
)
def test_the_clock_at_pause_misnames_pictures(name: str, n: int, page: Page, site: Site, tmp_path: Path) -> None:
    call(page, "open", [view(served_raw(RAW_FILMS[name], site.media.folder, tmp_path))], "front")
    call(page, "naive", "currentTime at pause", RAW_FILMS[name].fps)
    found = call(page, "pauses", plays(n, 300))
    share = len(misnamed(found)) / n
    print(f"{name}, currentTime at pause: {share:.1%} of {n} wrong")
    assert share >= LEAST_WRONG


def test_marks_while_playing_are_pictures_that_were_presented(page: Page, made: Callable[[str], str]) -> None:
    call(page, "open", [view(made("h264_2997"))], "front")
    found = page.evaluate("""async () => {
      const { player } = harness;
      const presented = [];
      player.addEventListener("frame", () => presented.push(player.frame));
      await player.play();
      const marks = [];
      for (let i = 0; i < 10; i += 1) {
        await harness.wait(70);
        marks.push([await player.mark(), presented.at(-1)]);
      }
      await player.pause();
      return { marks, presented };
    }""")
    for mark, last in found["marks"]:
        assert mark == {"frame": last, "frame_verified": True, "mark_mode": "live"}
    assert found["presented"] == sorted(found["presented"])


def test_three_cameras_show_the_same_picture(page: Page, made: Callable[[str], str]) -> None:
    names = {"front": "h264_gop250_b", "left": "av1_g2", "right": "mpeg4"}
    call(page, "open", [view(made(film), name) for name, film in names.items()], "front")
    picks = np.random.default_rng(3).integers(0, 300, 60).tolist()
    found = call(page, "gotos", picks)
    assert [one["shown"] for one in found] == [[k] * 3 for k in picks]
    assert all(one["verified"] for one in found)
    assert misnamed(call(page, "pauses", plays(6, 300, seed=1))) == []


@pytest.mark.slow
def test_three_cameras_come_to_rest_together(page: Page, made: Callable[[str], str]) -> None:
    names = {"front": "h264_gop250_b", "left": "av1_g2", "right": "mpeg4"}
    call(page, "open", [view(made(film), name) for name, film in names.items()], "front")
    assert misnamed(call(page, "pauses", plays(20, 300, seed=2))) == []


def test_a_view_of_another_rate_or_start_shows_what_it_showed_then(page: Page, made: Callable[[str], str]) -> None:
    """The picture on its screen when the master's began; before its first and after its last, those."""
    late_ns = 2_000_000_000
    views = [view(made("h264_gop250_b")), view(made("slow"), "slow"), view(made("late"), "late", late_ns)]
    call(page, "open", views, "front")
    for one in call(page, "gotos", [0, 1, 2, 59, 60, 61, 150, 299]):
        k = one["asked"]
        assert one["shown"] == [k, k * 20 // 30, min(max(k - 60, 0), 289)], one
        assert one["verified"]
    page.evaluate("harness.player.showView('late', false)")
    assert page.evaluate("harness.player.verified")


def test_a_span_loops_within_its_pictures_and_plays_once(page: Page, made: Callable[[str], str]) -> None:
    call(page, "open", [view(made("h264_gop250_b"))], "front")
    found = page.evaluate("""async () => {
      const { player } = harness;
      const presented = [];
      player.addEventListener("frame", () => player.playing && presented.push(player.frame));
      player.rate = 0.25;  // a picture lasts 133 ms, so that a busy machine does not decide the test
      await player.playSpan(100, 105);
      await harness.wait(2500);
      const looped = presented.splice(0);
      player.loop = null;
      await player.pause();
      presented.splice(0);
      await player.playSpan(40, 44, { once: true });
      await new Promise((rests) => player.addEventListener("state", () => player.state === "paused" && rests()));
      await player.settled();
      return { looped, once: presented, state: player.state, end: harness.seen() };
    }""")
    assert set(found["looped"]) <= set(range(100, 105)), "pictures may be dropped on a busy machine, none may be added"
    assert sum(b < a for a, b in zip(found["looped"], found["looped"][1:], strict=False)) >= 2, "it came round"
    assert set(found["once"]) <= set(range(40, 44))
    assert (found["state"], found["end"]["shown"]) == ("paused", [43])


def test_play_runs_to_the_last_picture_and_rests_there(page: Page, made: Callable[[str], str]) -> None:
    call(page, "open", [view(made("h264_vfr"))], "front", {"frame": 280})
    page.evaluate("""async () => {
      const { player } = harness;
      player.rate = 4;
      await player.play();
      await new Promise((rests) => player.addEventListener("state", () => player.state === "paused" && rests()));
    }""")
    assert call(page, "seen")["shown"] == [299]
    assert call(page, "seen")["verified"]


def test_what_is_asked_last_wins(page: Page, made: Callable[[str], str]) -> None:
    call(page, "open", [view(made("h264_gop250_b"))], "front")
    found = page.evaluate("""async () => {
      const { player } = harness;
      player.goto(10); player.goto(200); player.play(); player.pause(); player.goto(33);
      await player.settled();
      const first = harness.seen();
      await player.play();
      player.pause();
      await player.goto(77);
      await harness.wait(300);
      return [first, harness.seen()];
    }""")
    assert [(one["frame"], one["shown"], one["verified"]) for one in found] == [(33, [33], True), (77, [77], True)]


@pytest.mark.parametrize("lie", [NO_CALLBACKS, ONE_OFF], ids=["no callbacks", "the next picture's name"])
def test_what_the_browser_does_not_confirm_the_server_draws(
    lie: str, browser: Browser, site: Site, made: Callable[[str], str]
) -> None:
    page = opened(browser, site, before=lie)
    call(page, "open", [view(made("h264_gop250_b"))], "front", {"frame": 5})
    for one in call(page, "gotos", [120, 299, 0]):
        assert (one["shown"], one["how"], one["verified"]) == ([one["asked"]], ["IMG"], True)
    page.close()


@pytest.mark.parametrize("lie", [NO_CALLBACKS, ONE_OFF], ids=["no callbacks", "the next picture's name"])
def test_what_nobody_confirms_is_not_verified_and_not_marked(
    lie: str, browser: Browser, site: Site, made: Callable[[str], str]
) -> None:
    site.without_pictures = True
    try:
        page = opened(browser, site, before=lie)
        seen = call(page, "open", [view(made("h264_gop250_b"))], "front", {"frame": 5})
        assert not seen["verified"]
        assert seen["readout"].endswith("· frame not verified")
        assert call(page, "mark")["refused"].startswith("NotVerified: frame 5 / 300")
        after_pause = call(page, "pauses", [(40, 300, 1.0)])[0]
        assert after_pause["mark"] is None
    finally:
        site.without_pictures = False
    assert call(page, "gotos", [7])[0]["verified"], "it recovers by itself"
    page.close()


def test_a_table_that_is_not_this_files_verifies_nothing(
    page: Page, site: Site, made: Callable[[str], str], tmp_path: Path
) -> None:
    """Pictures of another recording under this name: their times are in no row of the table."""
    sha256, other = made("h264_gop250_b"), "f" * 64
    (site.media.folder / f"{other}.mp4").write_bytes(site.media.mp4(made("h264_2997")).read_bytes())
    (site.media.folder / f"{other}.times").write_bytes(site.media.times(sha256).read_bytes())
    call(page, "open", [view(other)], "front")
    found = call(page, "gotos", [50, 100, 250])
    assert [one["verified"] for one in found] == [False] * 3


def test_media_that_cannot_be_had_is_said_in_words(page: Page, made: Callable[[str], str]) -> None:
    refused = page.evaluate(
        """async ([views]) => harness.open(views, "front").then(() => "", (error) => error.message)""",
        [[view("0" * 64)]],
    )
    assert "the server answers 404" in refused
    assert page.evaluate("harness.player.state") == "failed"
    call(page, "open", [view(made("h264_vfr")), view("0" * 64, "wrist")], "front", {"frame": 9})
    assert page.evaluate("[harness.player.verified, harness.player.views.length]") == [True, 1]
    assert "wrist" in page.evaluate("harness.player.error")


def test_seconds_are_the_sources_own(page: Page, site: Site, tmp_path: Path) -> None:
    """F6: with variable frame rate, a frame's seconds are its time stamp in the source."""
    made, episode = proxied(tmp_path, FILMS["h264_vfr"], site.media.folder)
    call(page, "open", [view(made.sha256)], "front")
    told = np.array(page.evaluate("Array.from({length: 300}, (_, k) => harness.player.table.seconds(k))"))
    assert np.abs(told - episode.master.times_ns / 1e9).max() <= 1e-6
