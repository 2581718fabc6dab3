"""A whole review by keyboard alone, in both modes; and what axe finds on every page (K1)."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.annotators.review.app.review_page import ReviewPage, stored
from tests.annotators.review.live import Server, recording, served
from tests.browser import chromium

pytestmark = pytest.mark.timeout(600)
WAIT_MS = 15_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("keyboard")
    with served(folder, *(recording(folder, f"ep-{k}", risk=k / 10) for k in (1, 2, 3))) as found:
        yield found


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[ReviewPage]:
    tab = ReviewPage(browser.new_context(viewport={"width": 1280, "height": 800}), server)
    tab.sign_in()
    yield tab
    tab.done()
    tab.context.close()


def item_of(page: ReviewPage) -> tuple[str, str, str]:
    """Kind, boundary and level of what is asked about."""
    found = page.js("(({kind, id, level}) => [kind, id, level])(joinery.desk.item ?? {})")
    return tuple(found)


def gone_on_from(page: ReviewPage, item: tuple[str, str, str]) -> bool:
    """Wait until something else is asked; False when nothing is left."""
    for _ in range(750):
        if page.page.query_selector("dialog:has-text('All decided')"):
            return False
        if item_of(page) != item:
            return True
        page.page.wait_for_timeout(20)
    raise AssertionError(f"still at {item}: {page.page.inner_text('.notice')}")


@pytest.mark.parametrize("mode", ["card", "timeline"])
def test_an_episode_is_reviewed_without_a_mouse(page: ReviewPage, mode: str) -> None:
    page.js("mode => localStorage.setItem('joinery.view', JSON.stringify({mode, signals: true}))", mode)
    page.press("Enter")  # start next
    page.page.wait_for_selector(".lanes-host canvas")
    review_id = page.js("joinery.desk.live.reviewId")
    if mode == "timeline":
        page.press("Tab")
    page.until("joinery.desk.item")
    n_rejected, n_corrected, n_worded, going = 0, 0, 0, True
    while going:
        page.page.wait_for_timeout(30)
        item = item_of(page)
        if item[0] == "boundary" and not n_rejected:
            page.press("KeyX", "Digit2")
            n_rejected += 1
        elif item[0] == "boundary" and not n_corrected:
            before = page.shown().boundaries[item[1]].frame
            page.press("BracketRight", "BracketRight")
            page.settled()
            assert page.shown().boundaries[item[1]].frame == before + 2
            page.press("KeyA")
            n_corrected += 1
        elif item[0] == "caption" and not n_worded:
            page.press("Enter")
            page.page.wait_for_selector(".editor textarea:focus")
            page.press("Control+a")
            page.page.keyboard.type("put the cup down")
            page.press("Control+Enter")
            page.until("!document.querySelector('.editor')")  # until then a letter is a word's
            n_worded += 1
        else:
            page.press("KeyA")
        going = gone_on_from(page, item)
    page.press("Enter")  # finish, take the next
    page.until(f"!location.hash.includes('{review_id}')")

    document = stored(page.server, review_id)[1]
    states = [edge.state for edge in document.boundaries.values() if not edge.pinned]
    assert sorted(states) == ["accepted"] * (len(states) - 1) + ["rejected"]
    captions = [label for key, label in document.labels.items() if key.startswith("label:action:")]
    assert sorted(label.state for label in captions) == ["accepted"] * (len(captions) - 1) + ["edited"]
    assert (n_rejected, n_corrected, n_worded) == (1, 1, 1)


def test_tab_reaches_the_controls_after_f6_and_escape_comes_back(page: ReviewPage) -> None:
    page.open("ep-1")
    page.press("F6")
    assert page.js("document.activeElement.closest('.side') !== null")
    selected = page.js("joinery.desk.selected")
    page.press("Tab")
    assert page.js("joinery.desk.selected") == selected
    page.press("Escape")
    page.press("Tab")
    page.until(f"joinery.desk.selected !== {selected!r}" if selected else "joinery.desk.selected")


def grave(page: ReviewPage) -> list[str]:
    """What axe calls critical or serious, one line each."""
    found = Axe().run(page.page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['impact']} {one['id']}: {one['nodes'][0]['html'][:160]}"
        for one in found
        if one["impact"] in ("critical", "serious")
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_grave_on_any_page(browser: Browser, server: Server, theme: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=theme)  # type: ignore[arg-type]
    page = ReviewPage(context, server)
    page.sign_in()
    found = {"queue": grave(page)}
    for mode in ("card", "timeline"):
        page.open("ep-1", mode=mode)
        page.press("Tab")
        page.page.wait_for_timeout(400)
        page.press("KeyK")
        found[mode] = grave(page)
    page.press("Enter")
    found["editing"] = grave(page)
    page.press("Escape", "Shift+Slash")
    page.page.wait_for_selector("dialog .help")
    found["help"] = grave(page)
    page.press("Escape")
    for name in ("search", "agreement", "throughput", "conflicts", "people"):
        page.page.goto(f"{server.url}/#/{name}")
        page.page.wait_for_timeout(300)
        found[name] = grave(page)
    assert {name: said for name, said in found.items() if said} == {}
    page.done()
    context.close()
