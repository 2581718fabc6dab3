"""L6 on screen: a newer run of the machine changes nothing of people's; what it has otherwise stands beside it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from annotators.review.store import ReviewStore
from tests.annotators.review.app.review_page import ReviewPage, log_of, stored
from tests.annotators.review.live import Server, recording, served
from tests.annotators.review.made import made
from tests.annotators.review.test_suggest import NEWER, of_people, renamed
from tests.browser import chromium

pytestmark = pytest.mark.timeout(600)
WORDS = {"caption": "pour the tea", "verb": "pour", "objects": [], "arm": None}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with served(tmp_path, recording(tmp_path)) as found:
        yield found


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[ReviewPage]:
    tab = ReviewPage(browser.new_context(viewport={"width": 1280, "height": 800}), server)
    tab.sign_in()
    tab.open()
    yield tab
    tab.done()
    tab.context.close()


def followed(page: ReviewPage) -> None:
    """People's work saved, the newer run taken in while nobody is served, and the page opened again."""
    page.saved()
    page.server.stop()
    with closing(ReviewStore(page.server.folder / "review.sqlite")) as store:
        assert store.follow(renamed(made(NEWER)), "pipeline:run-2")
    page.server.start()
    page.reload()


def said(page: ReviewPage) -> list[str]:
    return [" ".join(one.inner_text().split()) for one in page.page.query_selector_all(".suggestion span")]


def drawn(page: ReviewPage) -> list[int]:
    """Where the lanes show what a newer run would have."""
    return sorted(page.js("joinery.timeline.scene.suggestions.map((one) => one.frame)"))


def test_a_newer_boundary_stands_beside_the_one_people_moved_until_somebody_takes_it(page: ReviewPage) -> None:
    assert page.do({"kind": "move", "boundary_id": "b100", "frame": 110}) == ""
    page.saved()
    before = of_people(stored(page.server)[1])
    followed(page)
    now = stored(page.server)[1]
    assert of_people(now) == before, "nothing of people's has changed"
    assert {edge.frame for edge in now.boundaries.values()} == {0, 110, 160, 200, 240, 260, 300}
    page.select("b100")
    page.page.wait_for_selector(".evidence .suggestion")
    assert said(page) == ["A newer run has one at 90, 20 pictures earlier."]
    assert 90 in drawn(page)
    page.page.click(".suggestion button:has-text('Look')")
    page.until("joinery.desk.player.verified && joinery.desk.player.frame === 90")
    assert page.barcode() == 90
    assert page.shown().boundaries["b100"].frame == 110, "looking changes nothing"

    page.page.click(".suggestion button:has-text('Move there')")
    page.page.wait_for_selector(".evidence .suggestion", state="detached")
    page.saved()
    assert stored(page.server)[1].boundaries["b100"].frame == 90
    assert [entry["actor"] for entry in log_of(page.server)] == ["ann", "pipeline:run-2", "ann"]
    assert 90 not in drawn(page)
    page.press("Control+z")
    page.saved()
    assert stored(page.server)[1].boundaries["b100"].frame == 110, "it is a deed like any other"


@pytest.mark.slow
def test_newer_words_and_a_boundary_inside_stand_beside_an_event_people_worded(page: ReviewPage) -> None:
    label = {"kind": "label", "level": "action", "boundary_id": "b100", **WORDS}
    assert page.do(label) == ""
    followed(page)
    assert stored(page.server)[1].labels["label:action:b100"].caption == "pour the tea"
    page.js("joinery.desk.select({kind: 'caption', id: 'b100', level: 'action'})")
    page.page.wait_for_selector(".caption .suggestion")
    offered = said(page)
    assert offered == ["A newer run says “action from 90” (move)."]
    page.page.click(".caption .suggestion button:has-text('Take it')")
    page.page.wait_for_selector(".caption .suggestion", state="detached")
    page.saved()
    words = stored(page.server)[1].labels["label:action:b100"]
    assert (words.caption, words.verb, words.origin) == ("action from 90", "move", "human")


@pytest.mark.slow
def test_a_boundary_inside_an_event_of_peoples_can_be_made_by_a_split(page: ReviewPage) -> None:
    assert page.do({"kind": "label", "level": "action", "boundary_id": "b200", **WORDS}) == ""
    followed(page)
    page.js("joinery.desk.select({kind: 'caption', id: 'b200', level: 'action'})")
    page.page.wait_for_selector(".caption .suggestion")
    assert "A newer run has a boundary in it, at 205." in said(page)
    assert 205 in drawn(page)
    assert not any("undefined" in one for one in said(page))
    page.page.click(".suggestion:has-text('at 205') button:has-text('Split there')")
    page.page.wait_for_selector(".suggestion:has-text('at 205')", state="detached")
    page.saved()
    made_there = [edge for edge in stored(page.server)[1].boundaries.values() if edge.frame == 205]
    assert [(edge.rank, edge.origin) for edge in made_there] == [(1, "human")]
    assert 205 not in drawn(page)
