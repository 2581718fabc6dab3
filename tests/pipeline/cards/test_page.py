"""card.html: one file, nothing fetched, both themes, names shown letter by letter."""

import re
from html.parser import HTMLParser
from pathlib import Path

from pipeline.cards.blocks import Bars, Card, Figure, Section, Terms, table
from pipeline.cards.page import page

VOID = {"meta", "br", "img", "link", "hr"}


class Balance(HTMLParser):
    """Raises where tags do not close in the order they opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_published_page_is_whole_and_fetches_nothing(folder: Path) -> None:
    text = (folder / "card.html").read_text()
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert not {"script", "link", "img", "iframe", "object"} & set(parser.seen)
    assert not re.search(r"url\(|@import|src=", text)
    assert "light-dark(" in text
    assert "color-scheme: light dark" in text


def test_every_section_can_be_reached(folder: Path) -> None:
    text = (folder / "card.html").read_text()
    anchors = re.findall(r'href="#([^"]+)"', text)
    assert len(anchors) > 10
    assert anchors == re.findall(r'<section id="([^"]+)"', text)


def test_names_are_shown_letter_by_letter_and_what_is_open_stands_out() -> None:
    rows = [("<script>alert(1)</script>", "not stated")]
    blocks = (table("a | b", rows), Terms((("c", "`d<`"),)), Bars("e", (("<f>", 2, "2"), ("g", 1, "1"))))
    text = page(Card("<t>", "lead", (Figure("1", "<u>"),), (Section("S & T", blocks),)))
    assert "<script>" not in text
    assert "<f>" not in text
    assert "<t>" not in text
    assert '<span class="open">not stated</span>' in text
    assert "<code>d&lt;</code>" in text
    assert 'style="width:50.0%"' in text
