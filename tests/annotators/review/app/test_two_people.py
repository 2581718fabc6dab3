"""Two people at one episode (C1 – C4): whoever saves second is asked, no value is lost, nothing is undone silently.

Last-write-wins is switched on once, by sending every deed on the newest revision: the same scenes then lose values.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Self

import pytest
from playwright.sync_api import Browser, Route

from annotators.review.role import Role
from tests.annotators.review.app.review_page import ReviewPage, log_of, stored
from tests.annotators.review.live import Server, recording, served
from tests.browser import chromium

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("two")
    made = [recording(folder, f"ep-{k}") for k in range(1, 8)]
    with served(folder, *made, accounts={"ann": Role.ADJUDICATOR, "bob": Role.ADJUDICATOR}) as found:
        yield found


class Pair:
    """Ann and Bob, each in a browser of their own, at one episode."""

    def __init__(self, browser: Browser, server: Server, review_id: str) -> None:
        self.server, self.review_id = server, review_id
        self.ann, self.bob = (ReviewPage(browser.new_context(), server) for _ in range(2))
        for tab, name in ((self.ann, "ann"), (self.bob, "bob")):
            tab.sign_in(name)

    @classmethod
    def at_one_revision(cls, browser: Browser, server: Server, review_id: str) -> Self:
        """Both have it open and stay where they are, as on a slow line."""
        pair = cls(browser, server, review_id)
        for tab in (pair.ann, pair.bob):
            tab.open(review_id)
            tab.js("joinery.desk.live.pull = () => Promise.resolve()")
        return pair

    def move(self, tab: ReviewPage, boundary_id: str, by: int) -> int:
        frame = tab.shown().boundaries[boundary_id].frame + by
        assert tab.do({"kind": "move", "boundary_id": boundary_id, "frame": frame}) == ""
        return frame

    def stored_frame(self, boundary_id: str) -> int:
        return stored(self.server, self.review_id, "ann")[1].boundaries[boundary_id].frame

    def log(self) -> list[dict[str, object]]:
        return log_of(self.server, self.review_id, "ann")

    def close(self) -> None:
        for tab in (self.ann, self.bob):
            tab.done()
            tab.context.close()


def in_conflict(browser: Browser, server: Server, review_id: str) -> tuple[Pair, int, int]:
    pair = Pair.at_one_revision(browser, server, review_id)
    anns = pair.move(pair.ann, "b100", 8)
    pair.ann.saved()
    pair.bob.js("delete joinery.desk.live.pull")
    bobs = pair.move(pair.bob, "b100", -9)
    pair.bob.page.wait_for_selector("dialog:has-text('ann changed this while you did')")
    return pair, anns, bobs


def test_the_second_sees_both_values_and_who_it_was(browser: Browser, server: Server) -> None:
    pair, anns, bobs = in_conflict(browser, server, "ep-1")
    said = pair.bob.page.inner_text("dialog")
    assert f"picture {anns}" in said
    assert f"picture {bobs}" in said
    assert pair.bob.page.locator("dialog .filmstrip img").count() == 10
    assert pair.stored_frame("b100") == anns
    assert [entry["status"] for entry in pair.log()] == ["applied", "conflict"]

    pair.bob.page.click("dialog button:has-text('Keep theirs')")
    pair.bob.page.wait_for_selector("dialog", state="detached")
    assert pair.bob.saved() == 1
    assert pair.bob.shown() == stored(server, "ep-1", "ann")[1]
    assert pair.stored_frame("b100") == anns
    pair.close()


@pytest.mark.slow
def test_keeping_mine_is_a_new_deed_on_the_new_revision(browser: Browser, server: Server) -> None:
    pair, _, bobs = in_conflict(browser, server, "ep-2")
    pair.bob.page.click("dialog button:has-text('Keep mine')")
    pair.bob.page.wait_for_selector("dialog", state="detached")
    assert pair.bob.saved() == 2
    assert pair.stored_frame("b100") == bobs
    assert [entry["status"] for entry in pair.log()] == ["applied", "conflict", "applied"]
    pair.close()


@pytest.mark.slow
def test_a_conflict_can_go_to_adjudication(browser: Browser, server: Server) -> None:
    pair, anns, bobs = in_conflict(browser, server, "ep-3")
    pair.bob.page.click("dialog button:has-text('Send to adjudication')")
    pair.bob.page.wait_for_selector("dialog", state="detached")
    pair.bob.page.goto(f"{server.url}/#/conflicts")
    pair.bob.page.wait_for_selector(".case")
    assert f"picture {bobs}" in pair.bob.page.inner_text("main")
    assert f"picture {anns}" in pair.bob.page.inner_text("main")
    pair.close()


def test_a_conflict_waits_through_a_reload(browser: Browser, server: Server) -> None:
    pair, _, bobs = in_conflict(browser, server, "ep-4")
    pair.bob.page.reload()
    pair.bob.page.wait_for_selector("dialog:has-text('ann changed this')")
    assert f"picture {bobs}" in pair.bob.page.inner_text("dialog")
    pair.close()


def test_edits_that_do_not_concern_each_other_are_both_saved(browser: Browser, server: Server) -> None:
    pair = Pair.at_one_revision(browser, server, "ep-5")
    anns = pair.move(pair.ann, "b100", 4)
    pair.ann.saved()
    pair.bob.js("delete joinery.desk.live.pull")
    bobs = pair.move(pair.bob, "b260", 4)
    pair.bob.saved()
    assert [entry["status"] for entry in pair.log()] == ["applied", "rebased"]
    assert (pair.stored_frame("b100"), pair.stored_frame("b260")) == (anns, bobs)
    assert pair.bob.shown() == stored(server, "ep-5", "ann")[1]
    pair.close()


@pytest.mark.slow
def test_undoing_what_somebody_else_has_changed_since_is_a_conflict(browser: Browser, server: Server) -> None:
    pair = Pair.at_one_revision(browser, server, "ep-6")
    pair.move(pair.ann, "b100", 4)
    pair.ann.saved()
    pair.bob.js("delete joinery.desk.live.pull")
    pair.bob.js("joinery.desk.live.pull()")
    pair.bob.until("joinery.desk.live.rev === 1")
    bobs = pair.move(pair.bob, "b100", 10)
    pair.bob.saved()
    pair.ann.js("delete joinery.desk.live.pull")
    pair.ann.press("Control+z")
    pair.ann.page.wait_for_selector("dialog:has-text('changed this while you did')")
    assert pair.stored_frame("b100") == bobs
    assert [entry["status"] for entry in pair.log()] == ["applied", "applied", "conflict"]
    pair.close()


def ten_minutes_pass(server: Server) -> None:
    """Every lease has run out; the server only looks at the clock."""
    with closing(sqlite3.connect(server.folder / "review.sqlite", timeout=20)) as sql, sql:
        assert sql.execute("UPDATE lease SET until_ns = 1 WHERE NOT finished").rowcount == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bobs_edge", "statuses"), [("b260", ["applied", "rebased"]), ("b100", ["applied", "conflict"])]
)
def test_a_save_after_somebody_else_has_taken_the_episode_lands_or_is_asked_about(
    browser: Browser, tmp_path: Path, bobs_edge: str, statuses: list[str]
) -> None:
    with served(tmp_path, recording(tmp_path), accounts={"ann": Role.ANNOTATOR, "bob": Role.ANNOTATOR}) as server:
        pair = Pair(browser, server, "ep-1")
        pair.ann.press("Enter")  # start next
        pair.ann.ready()
        pair.ann.page.route("**/api/**", lambda route: route.abort())  # her line is down: no heartbeat, no save
        anns = pair.move(pair.ann, "b100", 8)
        pair.ann.page.wait_for_selector("[data-state=offline][data-pending='1']")
        pair.bob.press("Enter")
        pair.bob.page.wait_for_selector("text=Nothing is left for you")
        ten_minutes_pass(server)
        pair.bob.press("Enter")
        pair.bob.ready()
        bobs = pair.move(pair.bob, bobs_edge, -7)
        pair.bob.saved()

        pair.ann.page.unroute("**/api/**")
        if "conflict" in statuses:
            pair.ann.page.wait_for_selector("dialog:has-text('bob changed this while you did')", timeout=60_000)
            assert f"picture {anns}" in pair.ann.page.inner_text("dialog")
            assert pair.stored_frame("b100") == bobs
            pair.ann.page.click("dialog button:has-text('Keep mine')")
            pair.ann.page.wait_for_selector("dialog", state="detached")
            statuses = [*statuses, "applied"]
        pair.ann.saved()
        assert pair.stored_frame("b100") == anns
        assert pair.stored_frame(bobs_edge) == (anns if bobs_edge == "b100" else bobs)
        assert [entry["status"] for entry in pair.log()] == statuses
        pair.close()


@pytest.mark.slow
def test_with_last_write_wins_the_first_value_would_be_gone(browser: Browser, server: Server) -> None:
    """The mutation control: every deed claims to be made on the newest revision."""
    pair = Pair.at_one_revision(browser, server, "ep-7")

    def on_the_newest(route: Route) -> None:
        deed = json.loads(route.request.post_data or "{}")
        deed["base_rev"] = stored(server, "ep-7", "ann")[0]
        route.continue_(post_data=json.dumps(deed))

    pair.bob.page.route("**/ops", on_the_newest)
    n_lost = 0
    for _ in range(4):
        anns = pair.move(pair.ann, "b100", 2)
        pair.ann.saved()
        pair.move(pair.bob, "b100", -2)
        pair.bob.saved()
        n_lost += pair.stored_frame("b100") != anns
        for tab in (pair.ann, pair.bob):
            tab.js("joinery.desk.live.load()")
    assert n_lost == 4, "without revisions every one of the first values is overwritten unseen"
    pair.close()
