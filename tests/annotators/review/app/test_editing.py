"""Editing by hand (E1 – E4): what is released is saved, one gesture is one deed, and every deed can be taken back."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from annotators.review.document import problems
from annotators.review.log import replayed
from annotators.review.store import ReviewStore
from tests.annotators.review.app.review_page import ReviewPage, log_of, stored
from tests.annotators.review.app.test_same_rules import random_operation
from tests.annotators.review.live import Recording, Server, recording, served
from tests.browser import chromium

pytestmark = pytest.mark.timeout(600)
EPISODES = ("ep-1", "ep-2", "ep-3", "ep-4")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("editing")
    made: list[Recording] = [recording(folder, name) for name in EPISODES]
    with served(folder, *made) as found:
        yield found


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[ReviewPage]:
    tab = ReviewPage(browser.new_context(viewport={"width": 1280, "height": 800}), server)
    tab.sign_in()
    yield tab
    tab.done()
    tab.context.close()


@pytest.mark.parametrize(("start", "end"), [(0, 300), (60, 180), (90, 125)], ids=["far", "middle", "near"])
def test_a_drag_saves_the_picture_under_the_handle_as_one_deed(page: ReviewPage, start: int, end: int) -> None:
    page.open("ep-1")
    page.js("([start, end]) => { joinery.viewport.show(start, end); joinery.desk.changed(); }", [start, end])
    rev, before = stored(page.server)
    frame = before.boundaries["b100"].frame
    x, y = page.lane_point(frame, "action")
    mouse = page.page.mouse
    mouse.move(x, y)
    mouse.down()
    for step in range(1, 38):
        mouse.move(x + step, y)
    page.until("joinery.desk.player.verified && joinery.desk.player.frame === joinery.desk.draft.frame")
    dragged_to, on_screen = page.js("joinery.desk.draft.frame"), page.barcode()
    mouse.up()
    page.saved()

    now, after = stored(page.server)
    pictures_per_pixel = page.js("joinery.viewport.framesPerPixel")
    assert after.boundaries["b100"].frame == dragged_to == on_screen
    assert abs(dragged_to - frame - 37 * pictures_per_pixel) <= 1
    assert now == rev + 1, "one gesture is one deed"
    others = {name: edge for name, edge in after.boundaries.items() if name != "b100"}
    assert others == {name: edge for name, edge in before.boundaries.items() if name != "b100"}
    assert problems(after) == []
    assert page.shown() == after
    page.press("Control+z")
    page.saved()
    assert stored(page.server)[1] == before


def test_a_held_key_is_one_deed(page: ReviewPage) -> None:
    page.open("ep-1")
    page.select("b200")
    rev, before = stored(page.server)
    for _ in range(7):
        page.press("BracketRight")
    page.saved()
    now, after = stored(page.server)
    assert (now, after.boundaries["b200"].frame) == (rev + 1, before.boundaries["b200"].frame + 7)
    assert page.barcode() == after.boundaries["b200"].frame


def test_a_boundary_stops_before_its_neighbours(page: ReviewPage) -> None:
    page.open("ep-1")
    page.select("b160")
    for _ in range(9):
        page.press("Shift+BracketRight")
    page.saved()
    after = stored(page.server)[1]
    assert after.boundaries["b160"].frame == after.boundaries["b200"].frame - 5


def _fuzz(page: ReviewPage, review_id: str, n: int) -> None:
    """Random deeds through the page, then the same document on screen, on the server, and by replay of the log."""
    draw = random.Random(20)
    page.open(review_id)
    made = 0
    for _ in range(n):
        shown = page.shown()
        operation: dict[str, Any] | str = random_operation(draw, shown)
        if (back := draw.random()) < 0.22:
            operation = "undo" if back < 0.15 else "redo"
        if isinstance(operation, dict) and operation["kind"] == "split":
            operation["boundary_id"] = f"new-{draw.randint(0, 10**9):012}"
        made += page.do(operation) == ""
        assert problems(page.shown()) == []
    rev = page.saved()
    assert made > n / 4
    there, document = stored(page.server, review_id)
    assert there == rev
    assert page.shown() == document
    page.reload()
    assert page.shown() == document


def _replays(server: Server, review_id: str) -> None:
    """On a copy of what is on the disk."""
    store = ReviewStore(server.folder / "review.sqlite")
    try:
        rev, document = store.document(review_id)
        assert store.verify(review_id) == []
        assert store.at(review_id, rev) == document
        assert replayed(store.at(review_id, 0), store.log(review_id)) == document
    finally:
        store.close()


def test_random_deeds_end_in_the_same_document_everywhere(page: ReviewPage) -> None:
    _fuzz(page, "ep-2", 60)
    _replays(page.server, "ep-2")


@pytest.mark.slow
def test_five_hundred_random_deeds(page: ReviewPage) -> None:
    _fuzz(page, "ep-4", 500)
    _replays(page.server, "ep-4")


@pytest.mark.parametrize("depth", [12, pytest.param(50, marks=pytest.mark.slow)])
def test_undo_and_redo_go_on_after_a_reload_and_a_restart(page: ReviewPage, depth: int) -> None:
    page.open("ep-3")
    draw = random.Random(depth)
    states = [page.shown().sha256]
    while len(states) <= depth:
        operation = random_operation(draw, page.shown())
        if operation["kind"] == "split":
            operation["boundary_id"] = f"deep-{draw.randint(0, 10**9):012}"
        if page.do(operation) == "" and page.shown().sha256 != states[-1]:
            states.append(page.shown().sha256)
        assert page.js("joinery.desk.live.stacks().undo.length") == len(states) - 1, "a deed on its way counts once"
    page.saved()
    for back in range(depth):
        if back == depth // 3:
            page.reload()
        if back == 2 * depth // 3:
            page.saved()
            page.server.kill()
            page.server.start()
        page.js("joinery.desk.back('undo')")
        assert page.shown().sha256 == states[depth - back - 1]
    page.saved()
    assert stored(page.server, "ep-3")[1].sha256 == states[0]
    page.reload()
    for forth in range(depth):
        page.js("joinery.desk.back('redo')")
        assert page.shown().sha256 == states[forth + 1]
    page.saved()
    assert stored(page.server, "ep-3")[1].sha256 == states[depth]


def test_no_shortcut_fires_while_somebody_types_a_caption(page: ReviewPage) -> None:
    page.open("ep-1")
    page.select("b100")
    before = stored(page.server)
    page.press("Enter")
    page.page.wait_for_selector(".editor textarea:focus")
    page.press("Control+a")
    everything = "abcdefghijklmnopqrstuvwxyz 1234 []-=!? ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    page.page.keyboard.type(everything)
    assert page.page.input_value(".editor textarea") == everything
    assert stored(page.server) == before
    page.press("Escape")
    page.page.wait_for_selector(".editor", state="detached")
    assert stored(page.server) == before

    page.press("Enter")
    page.page.wait_for_selector(".editor textarea:focus")
    page.press("Control+a")
    page.page.keyboard.type("grasp the red cup")
    page.press("Control+Enter")
    page.page.wait_for_selector(".editor", state="detached")
    page.saved()
    label = stored(page.server)[1].labels["label:action:b100"]
    assert (label.caption, label.origin, label.state) == ("grasp the red cup", "human", "edited")


def test_a_boundary_is_not_saved_while_the_picture_is_not_verified(page: ReviewPage) -> None:
    page.open("ep-1")
    page.select("b260")
    before = stored(page.server)
    page.js("""() => { const { player } = joinery.desk;
      player.mark = () => Promise.reject(new Error("frame not verified: nothing was saved")); }""")
    page.press("BracketRight")
    page.page.wait_for_selector(".notice.bad.shown")
    page.settled()
    page.press("KeyB", "KeyS")
    page.settled()
    assert stored(page.server) == before
    assert page.shown() == before[1]


def documents_of(log: list[dict[str, Any]]) -> int:
    return sum(entry["status"] != "conflict" for entry in log)


def test_the_log_has_one_entry_per_deed(page: ReviewPage) -> None:
    rev, _ = stored(page.server)
    assert documents_of(log_of(page.server)) == rev
