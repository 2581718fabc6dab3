"""One key, one meaning per mode; and what the specification, the overlay and the documentation say is one table."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.annotators.review.app.review_page import ReviewPage
from tests.annotators.review.live import served
from tests.browser import chromium

DOCS = Path(__file__).parents[4] / "docs" / "review.md"
SPECIFIED = {
    "Space": "play", "KeyF": "step-forward", "ArrowRight": "step-forward", "KeyD": "step-back",
    "ArrowLeft": "step-back",
    "KeyV": "jump-forward", "Shift+ArrowRight": "jump-forward", "KeyC": "jump-back", "Shift+ArrowLeft": "jump-back",
    "KeyJ": "shuttle-back", "KeyK": "shuttle-pause", "KeyL": "shuttle-play", "Minus": "slower", "Equal": "faster",
    "KeyG": "go-to", "Tab": "next-queued", "Shift+Tab": "previous-queued", "KeyN": "next-in-time",
    "KeyP": "previous-in-time", "BracketLeft": "nudge-back", "BracketRight": "nudge-forward",
    "Shift+BracketLeft": "nudge-back-10", "Shift+BracketRight": "nudge-forward-10", "KeyB": "set-here", "KeyS": "split",
    "KeyM": "merge", "Shift+ArrowUp": "promote", "Shift+ArrowDown": "demote", "KeyR": "loop",
    "Shift+Space": "play-span",
    "Digit1": "level-task", "Digit2": "level-subtask", "Digit3": "level-action", "Digit4": "level-segment",
    "KeyA": "accept", "KeyX": "reject", "KeyW": "skip", "KeyU": "flag", "Shift+Digit1": "quarantine",
    "Enter": "edit-caption", **{f"Alt+Digit{k}": f"alternative-{k}" for k in range(1, 10)}, "Ctrl+KeyZ": "undo",
    "Ctrl+Shift+KeyZ": "redo", "Ctrl+KeyY": "redo", "Ctrl+KeyS": "save", "KeyI": "fit-span", "KeyO": "fit-episode",
    "KeyH": "hide-level", "KeyT": "signals", "Shift+Slash": "help",
}  # fmt: skip
"""review.md §2, by `event.code`."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewPage]:
    with served(tmp_path_factory.mktemp("keys")) as server, chromium() as browser:
        tab = ReviewPage(browser.new_context(), server)
        tab.sign_in()
        yield tab
        tab.done()


def in_keymap(page: ReviewPage, expression: str, argument: Any = None) -> Any:
    return page.js(
        f'async (given) => {{ const keys = await import("/app/keymap.js"); return {expression}; }}', argument
    )


def test_no_key_has_two_meanings_in_one_mode(page: ReviewPage) -> None:
    assert in_keymap(page, "keys.clashes(keys.KEYMAP)") == []


def test_a_clash_would_be_found(page: ReviewPage) -> None:
    doubled = in_keymap(page, 'keys.clashes([...keys.KEYMAP, {...keys.KEYMAP[0], id: "other"}])')
    assert doubled
    assert all("Space means both play and other" in said for said in doubled)


@pytest.mark.parametrize("mode", ["timeline", "card"])
def test_every_key_of_the_specification_does_what_it_says_there(page: ReviewPage, mode: str) -> None:
    found = in_keymap(
        page,
        "Object.fromEntries(given[1].map((chord) => [chord, keys.bindingOf(keys.KEYMAP, given[0], chord)?.id]))",
        [mode, list(SPECIFIED)],
    )
    assert found == SPECIFIED


def test_own_keys_are_refused_when_they_clash_and_used_when_they_do_not(page: ReviewPage) -> None:
    refused = "(() => { try { keys.remapped(given); return ''; } catch (error) { return error.message; } })()"
    assert "KeyD means both" in in_keymap(page, refused, {"step-forward": ["KeyD"]})
    assert "no such action" in in_keymap(page, refused, {"fly": ["KeyE"]})
    assert "is no key" in in_keymap(page, refused, {"step-forward": ["Shift+Ctrl+KeyE"]})
    assert in_keymap(page, refused, {"step-forward": ["KeyE"]}) == ""
    chosen = 'keys.bindingOf(keys.remapped({"step-forward": ["KeyE"]}), "card", "KeyE").id'
    assert in_keymap(page, chosen) == "step-forward"


def test_the_overview_shows_every_action(page: ReviewPage) -> None:
    page.press("Shift+Slash")
    page.page.wait_for_selector("dialog .help")
    shown = page.page.inner_text("dialog .help")
    rows = in_keymap(page, "keys.KEYMAP.filter(({id}) => !/-[1-9]$/.test(id)).map((row) => row.says)")
    assert [says for says in rows if says not in shown] == []
    page.press("Escape")


def test_the_documentation_has_the_same_table(page: ReviewPage) -> None:
    told = in_keymap(
        page,
        "keys.KEYMAP.filter(({id}) => !/-[2-9]$/.test(id))"
        ".map((row) => [row.group, row.keys.map((chord) => keys.shown(chord)).join(', '), row.says])",
    )
    written = [
        tuple(cell.strip().replace("`", "") for cell in line.strip("|").split(" | "))
        for line in re.findall(
            r"^\| (?:Time|Boundary|Level|Decide|Safety|View|Queue|Reason|Merge) \|.*$", DOCS.read_text(), re.M
        )
    ]
    assert written == [tuple(row) for row in told]
