"""A flow's picture: ribbons as wide as they are many, no name on another, nothing folded away unseen."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

from jobs.report.funnel import Flow, Node
from jobs.report.sankey import FULL, MOST_LOSSES, MOST_SOURCES, PITCH, sankey


def drawn(nodes: list[Node], flows: list[Flow]) -> ET.Element:
    return ET.fromstring(sankey(nodes, flows, "a flow", {"x": "why-x"}))


def titles(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter("title")]


def test_ribbons_and_bars_are_as_tall_as_they_are_many() -> None:
    nodes = [Node("a", "a", 0, 75), Node("b", "b", 0, 25), Node("all", "all", 1, 100), Node("x", "x", 2, 40, lost=True)]
    nodes.append(Node("end", "end", 2, 60))
    root = drawn(nodes, [Flow("a", "all", 75), Flow("b", "all", 25), Flow("all", "end", 60), Flow("all", "x", 40)])
    tall = {bar[0].text: float(bar.attrib["height"]) for bar in root.iter("rect")}
    assert tall == {
        "a: 75": 0.75 * FULL,
        "b: 25": 0.25 * FULL,
        "all: 100": FULL,
        "x: 40": 0.4 * FULL,
        "end: 60": 0.6 * FULL,
    }
    ribbons = {path[0].text: float(re.findall(r"v([\d.]+)", path.attrib["d"])[0]) for path in root.iter("path")}
    assert ribbons == {
        "a → all: 75": 0.75 * FULL,
        "b → all: 25": 0.25 * FULL,
        "all → end: 60": 0.6 * FULL,
        "all → x: 40": 0.4 * FULL,
    }
    assert [link.attrib["href"] for link in root.iter("a")] == ["#why-x"]


def test_names_of_losses_never_lie_on_one_another() -> None:
    nodes = [
        Node("s", "s", 0, 1000),
        Node("one", "one", 1, 1000),
        Node("two", "two", 2, 990),
        Node("three", "three", 3, 980),
    ]
    nodes += [Node(f"x{c}{i}", f"check {i}", c, 2, lost=True) for c in (2, 3) for i in range(5)]
    flows = [Flow("s", "one", 1000), Flow("one", "two", 990), Flow("two", "three", 980)]
    flows += [Flow(("one", "two")[c - 2], f"x{c}{i}", 2) for c in (2, 3) for i in range(5)]
    root = drawn(nodes, flows)
    heights = sorted(float(each.attrib["y"]) for each in root.iter("text") if each.attrib.get("class") == "t lossy")
    assert len(heights) == 10
    assert min(b - a for a, b in pairwise(heights)) >= PITCH - 0.01


def test_many_small_bars_are_one_that_says_how_many_it_is() -> None:
    sources = [Node(f"source {i:02}", f"s{i}", 0, 40 - i) for i in range(MOST_SOURCES + 6)]
    losses = [Node(f"x{i:02}", f"x{i}", 2, i + 1, lost=True) for i in range(MOST_LOSSES + 4)]
    total, n_lost = sum(each.n for each in sources), sum(each.n for each in losses)
    nodes = [*sources, Node("all", "all", 1, total), Node("end", "end", 2, total - n_lost), *losses]
    flows = [Flow(each.key, "all", each.n) for each in sources] + [Flow("all", each.key, each.n) for each in losses]
    said = titles(drawn(nodes, [*flows, Flow("all", "end", total - n_lost)]))
    rest = sum(sorted((each.n for each in sources), reverse=True)[MOST_SOURCES:])
    assert f"6 more sources: {rest}" in said
    assert f"4 more checks: {1 + 2 + 3 + 4}" in said
    into = [int(each.rsplit(" ", 1)[1]) for each in said if "→ all" in each]
    assert sum(into) == total
