"""What ``joinery forget`` prints: what went, what the search saw, what is left, and what only people can reach."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from jobs.show import print_json, size, table
from schemas.takedown import takedown_path

if TYPE_CHECKING:
    from jobs.forget import Forgotten


def forgotten(out: Console, result: Forgotten, recipe: Path, as_json: bool) -> None:
    """One table of what went per episode, then the proof."""
    if as_json:
        entries = [entry.model_dump(mode="json") for entry in result.takedowns]
        said = {"proven": result.proven, "dry_run": result.dry_run, "takedowns": entries, "remaining": result.remaining}
        said |= {"copies": result.copies, "not_searched": result.not_searched}
        print_json(said | {"out_of_reach": result.out_of_reach, "sources": result.sources})
        return
    verb = "would be removed" if result.dry_run else "removed"
    for entry in result.takedowns:
        rows = table(entry.episode_id, verb)
        for place, n in entry.removed.items():
            now = entry.shard_sets.get(place.removeprefix("shards/"), "")
            rows.add_row(place + (f" → {now}" if now else ""), str(n))
        out.print(rows)
    for pair in result.copies:
        what = "is the same recording as" if pair.same_recording else f"shares {pair.n_shared} events with"
        line = f"stays: {pair.episode_id} ({pair.source}: {pair.locator}) {what} {pair.kept_id} ({pair.kept_source})"
        _line(out, f"{line}; --with-copies takes both", "yellow")
    for remains in sorted({text for entry in result.takedowns for text in entry.remains}):
        _line(out, f"stays by design: {remains}")
    for shared in result.not_searched:
        _line(out, f"not searched for: {shared}")
    for made in result.out_of_reach:
        _line(out, f"out of reach: {made.what} at {made.where}, of {made.shard_set_id}; delete it there", "yellow")
    for url in result.sources:
        _line(out, f"the recording itself: {url}; Joinery never writes to sources", "yellow")
    _verdict(out, result, recipe)


def _verdict(out: Console, result: Forgotten, recipe: Path) -> None:
    if result.dry_run:
        _line(out, "dry run: nothing was changed")
        return
    for one in result.remaining:
        _line(out, f"STILL THERE: {one.path}: {one.why}", "bold red")
    seen = f"{result.searched.n_files} files, {size(result.searched.n_bytes)}"
    if result.remaining:
        advice = "remove those files, or mend what holds them, and repeat the command"
        _line(out, f"not proven: {len(result.remaining)} of {seen} still name it; {advice}", "red")
        return
    _line(out, f"proven: {seen} searched as they lie there and opened, nothing found", "green")
    for entry in result.takedowns:
        _line(out, f"proof   {takedown_path(entry.episode_id)}")
    _line(out, f"next    joinery run {recipe}")


def _line(out: Console, text: str, style: str | None = None) -> None:
    out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
