"""How ``joinery search`` prints what it found."""

from __future__ import annotations

from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from jobs.search import Found, SearchResult
from jobs.show import print_json


def found(out: Console, result: SearchResult, as_json: bool) -> None:
    """A line per event, best first, or one JSON document."""
    if as_json:
        print_json(
            {
                "query": result.query,
                "like": result.like,
                "total": result.total,
                "found": [_plain(each) for each in result.found],
            }
        )
        return
    if not result.found:
        out.print("nothing fits; fewer words or filters find more")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("score", "event", "level", "seconds", "source", "episode", "caption"):
        table.add_column(name, justify="right" if name in ("score", "seconds") else "left", overflow="fold")
    for each in result.found:
        hit = each.hit
        score = hit.score if each.similar is None else each.similar.score
        seconds = f"{hit.start_s:.2f}–{hit.end_s:.2f}"
        table.add_row(f"{score:.2f}", hit.event_id, hit.level, seconds, hit.source, hit.locator, hit.caption)
    out.print(table)
    if result.total > len(result.found):
        out.print(f"{len(result.found)} of {result.total:,} that fit; --limit shows more")


def _plain(each: Found) -> dict[str, object]:
    plain: dict[str, object] = asdict(each.hit)
    if each.similar is not None:
        in_spaces = {"vision_language": each.similar.vision_language, "action": each.similar.action}
        plain["similarity"] = {space: value for space, value in in_spaces.items() if value == value}  # noqa: PLR0124 - NaN
    return plain
