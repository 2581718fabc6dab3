"""A flow in columns: what went on lies on top, what was lost branches off below, as wide as it is many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.report.funnel import Flow, Node
from jobs.report.svg import number, path, rect, shortened, svg, text, whole

WIDTH = 1080.0
BAR = 11.0
FULL = 230.0
"""Height of the largest column without its gaps."""
GAP, PITCH = 7.0, 19.0
TOP = 46.0
LEFT, RIGHT = 150.0, 172.0
DROP = 14.0
"""From what went on to the first loss."""
THINNEST = 1.5
MOST_SOURCES, MOST_LOSSES = 14, 7


@dataclass
class _Placed:
    node: Node
    x: float
    y: float
    height: float
    out: float = 0.0
    """How much of the height has left, and come in, so far."""
    into: float = 0.0


def sankey(nodes: Sequence[Node], flows: Sequence[Flow], label: str, links: dict[str, str]) -> str:
    """The figure; ``links`` leads from a bar's key to where more is said about it."""
    nodes, flows = _folded(nodes, flows)
    n_columns = 1 + max(node.column for node in nodes)
    per_item = FULL / max(1, *(sum(node.n for node in nodes if node.column == c) for c in range(n_columns)))
    places = _places(nodes, per_item, n_columns)
    bottom = max(place.y + max(place.height, PITCH / 2) for place in places.values())
    ribbons = [_ribbon(places[flow.start], places[flow.end], flow, per_item) for flow in _in_order(flows, places)]
    main = Counter(node.column for node in nodes if not node.lost)
    bars = [_bar(place, links.get(place.node.key, ""), main[place.node.column] > 1) for place in places.values()]
    return svg(WIDTH, bottom + 14, [*ribbons, *bars], label, style="sankey")


def _folded(nodes: Sequence[Node], flows: Sequence[Flow]) -> tuple[list[Node], list[Flow]]:
    """Small sources, and small losses of one column, as one bar each."""
    groups: dict[str, Node] = {}
    into: dict[str, str] = {}
    for column in sorted({node.column for node in nodes}):
        for lost, most, what in ((False, MOST_SOURCES, "more sources"), (True, MOST_LOSSES, "more checks")):
            mine = sorted((n for n in nodes if n.column == column and n.lost is lost), key=lambda n: (-n.n, n.key))
            if len(mine) > most + 1:
                key = f"{what} {column}"
                rest = mine[most:]
                groups[key] = Node(key, f"{len(rest)} {what}", column, sum(n.n for n in rest), lost)
                into |= {node.key: key for node in rest}
    kept = [node for node in nodes if node.key not in into] + list(groups.values())
    merged: dict[tuple[str, str], int] = {}
    for flow in flows:
        ends = into.get(flow.start, flow.start), into.get(flow.end, flow.end)
        merged[ends] = merged.get(ends, 0) + flow.n
    return kept, [Flow(start, end, n) for (start, end), n in merged.items()]


def _places(nodes: Sequence[Node], per_item: float, n_columns: int) -> dict[str, _Placed]:
    """What went on, from the top down; losses beneath, later columns higher: no ribbon then crosses a name."""
    step = (WIDTH - LEFT - RIGHT - BAR) / max(1, n_columns - 1)
    found: dict[str, _Placed] = {}
    for column in range(n_columns):
        y = TOP
        mine = [node for node in nodes if node.column == column and not node.lost]
        for node in mine:
            height = max(THINNEST, node.n * per_item)
            found[node.key] = _Placed(node, LEFT + column * step, y, height)
            y += max(height + GAP, PITCH) if len(mine) > 1 else height
    y = max((place.y + place.height for place in found.values() if place.node.column), default=TOP) + DROP
    for column in reversed(range(n_columns)):
        for node in (node for node in nodes if node.column == column and node.lost):
            height = max(THINNEST, node.n * per_item)
            y += max(0.0, (PITCH - height) / 2)
            found[node.key] = _Placed(node, LEFT + column * step, y, height)
            y += height + max(GAP, (PITCH - height) / 2)
    return found


def _in_order(flows: Sequence[Flow], places: dict[str, _Placed]) -> list[Flow]:
    """From the top of each bar to its bottom, so that ribbons do not cross without need."""
    return sorted(flows, key=lambda flow: (places[flow.start].x, places[flow.start].y, places[flow.end].y))


def _ribbon(start: _Placed, end: _Placed, flow: Flow, per_item: float) -> str:
    height = max(THINNEST, flow.n * per_item)
    y0, y1 = start.y + start.out, end.y + end.into
    start.out += flow.n * per_item
    end.into += flow.n * per_item
    x0, x1 = start.x + BAR, end.x
    bend = (x1 - x0) * 0.5
    shape = (
        f"M{number(x0)} {number(y0)}C{number(x0 + bend)} {number(y0)} {number(x1 - bend)} {number(y1)} {number(x1)} "
        f"{number(y1)}v{number(height)}C{number(x1 - bend)} {number(y1 + height)} {number(x0 + bend)} "
        f"{number(y0 + height)} {number(x0)} {number(y0 + height)}z"
    )
    return path(shape, "ribbon loss" if end.node.lost else "ribbon", f"{start.node.label} → {end.node.label}: {flow.n}")


def _bar(place: _Placed, link: str, shares_column: bool) -> str:
    node, middle = place.node, place.y + place.height / 2
    bar = rect(place.x, place.y, BAR, place.height, "bar loss" if node.lost else "bar", f"{node.label}: {node.n}")
    if node.lost:
        said = text(place.x + BAR + 6, middle + 4, f"{whole(node.n)}  {shortened(node.label, 30)}", "t lossy")
        return f"<a href='#{link}'>{bar}{said}</a>" if link else bar + said
    if node.column == 0:
        said = f"{shortened(node.label, 18)}  {whole(node.n)}"
        return bar + text(place.x - 8, middle + 4, said, "t", "end")
    if shares_column:
        return bar + text(place.x + BAR + 6, middle + 4, f"{whole(node.n)}  {shortened(node.label, 24)}", "t")
    above = text(place.x + BAR / 2, place.y - 22, node.label, "m", "middle")
    return bar + above + text(place.x + BAR / 2, place.y - 6, whole(node.n), "t b", "middle")
