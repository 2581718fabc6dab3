"""The page as people meet it: in a browser, in both themes, with nothing asked of the network."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser

from jobs.report.page import page
from jobs.report.report import Options, gather
from jobs.report.tables import Tables
from jobs.run import RunResult
from pipeline.store import Workspace
from schemas.recipe_file import LoadedRecipe
from tests.browser import chromium
from tests.jobs.report.retold import ledger_of


@pytest.fixture(scope="module")
def written(reference: tuple[RunResult, LoadedRecipe], tmp_path_factory: pytest.TempPathFactory) -> Path:
    loaded = reference[1]
    workspace = Workspace.existing(loaded.recipe.workspace.url)
    with Tables(workspace, ledger_of(workspace, loaded), loaded.recipe) as tables:
        report = gather(tables, Options("demo.yaml", worst=2))
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(page(report), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 1920])
def test_it_fits_says_nothing_wrong_and_asks_nobody(written: Path, browser, theme: str, width: int) -> None:  # type: ignore[no-untyped-def]
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    tab = context.new_page()
    asked: list[str] = []
    wrong: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    tab.goto(written.as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert wrong == []
    ink, paper = tab.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert (_light(ink) < _light(paper)) is (theme == "light")
    context.close()


def _light(colour: str) -> float:
    return sum(float(part) for part in colour.partition("(")[2].rstrip(")").split(",")[:3])


def test_a_click_on_the_map_opens_the_event_at_its_picture(written: Path, browser) -> None:  # type: ignore[no-untyped-def]
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.route("http://127.0.0.1:8675/**", lambda route: route.fulfill(body="the review app"))
    tab = context.new_page()
    tab.goto(written.as_uri())
    told = json.loads(tab.locator("#map-data").text_content())
    tab.locator("#map-by button", has_text="verb").click()
    assert tab.locator("#map-key button").count() == len(told["names"]["verb"])
    dot = tab.locator("#map circle").nth(5)
    with context.expect_page() as opened:
        dot.dispatch_event("click")
    opened.value.wait_for_load_state()
    event, episode, frame, _ = told["points"][5]
    address, _, query = opened.value.url.partition("?")
    assert address == f"http://127.0.0.1:8675/#/episode/{told['episodes'][episode]}"
    assert parse_qs(query) == {"event": [event], "frame": [str(frame)]}
    context.close()


def test_single_figures_can_be_singled_out(written: Path, browser) -> None:  # type: ignore[no-untyped-def]
    tab = browser.new_page()
    tab.goto(written.as_uri())
    tab.locator("#map-key button").first.click()
    colours = json.loads(tab.locator("#map-data").text_content())["colours"]["source"]
    assert tab.locator("#map circle.off").count() == sum(colour != 0 for colour in colours) > 0
    tab.close()
