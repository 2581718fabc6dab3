"""README.md: names from sources cannot break it, and it renders as what it says."""

import re
from pathlib import Path

from markdown_it import MarkdownIt

from pipeline.cards.blocks import Bars, Card, Code, Prose, Section, Terms, table
from pipeline.cards.markdown import inline, markdown

HOSTILE = "a|b\n# c <script>x</script> *d* [e](http://f) snake_case `g|h`"


def rendered(text: str) -> str:
    return MarkdownIt("commonmark").enable("table").render(text)


def test_a_hostile_name_is_shown_letter_by_letter() -> None:
    html = rendered(f"| x |\n|---|\n| {inline(HOSTILE)} |")
    assert html.count("<td>") == 1
    assert "<script>" not in html
    assert "<em>" not in html
    assert "<a " not in html
    assert "snake_case" in html
    assert "a|b # c &lt;script&gt;" in html


def test_every_kind_of_block_is_rendered() -> None:
    blocks = (Prose("one"), Terms((("name", "said"),)), Bars("verbs", (("reach", 3, "3"),)), Code("python", "x = 1\n"),
              table("a | n#", [("b", "1")]), table("a | n#", []))  # fmt: skip
    html = rendered(markdown(Card("T", "lead", (), (Section("S", blocks),))))
    for part in ("<h1>T</h1>", "<h2>S</h2>", "<p>one</p>", "<strong>name</strong>: said", "<td>reach</td>", "x = 1",
                 '<td style="text-align:right">1</td>', "<td>none</td>"):  # fmt: skip
        assert part in html, part


def test_the_published_tables_have_as_many_cells_as_their_headings(folder: Path) -> None:
    text = (folder / "README.md").read_text().partition("\n---\n")[2]
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) > 10
    for found in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in found.splitlines()}) == 1, found
    assert rendered(text).count("<table>") == len(tables)


def test_what_nobody_stated_is_said_to_be_so(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    assert "- **Geography**: not stated" in text
    assert "- **Error rate of the audit**: not measured" in text
    assert not re.search(r"\b(?:TBD|TODO|[Mm]ore [Ii]nformation [Nn]eeded)\b", text)
