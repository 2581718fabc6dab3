"""Printing what `joinery duplicates` found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.show import print_json, table

if TYPE_CHECKING:
    from rich.console import Console

    from jobs.duplicates import DuplicateReport
    from schemas.duplicate import DuplicateEpisodes


def duplicates(out: Console, found: DuplicateReport, as_json: bool) -> None:
    """One line per episode and better copy of it, then the sums."""
    if as_json:
        print_json(found)
        return
    if found.same_bytes or found.pairs:
        lines = table("left out", "kept", "how alike", "events", "split")
        for same in found.same_bytes:
            kept = _place(same.kept_source, same.kept_locator)
            lines.add_row(_place(same.source, same.locator), kept, "bytes", "", "")
        for pair in found.pairs:
            lines.add_row(
                _place(pair.source, pair.locator),
                _place(pair.kept_source, pair.kept_locator),
                _likeness(pair),
                f"{pair.n_shared} of {pair.n_events}",
                str(found.splits.get(pair.episode_id, "")),
            )
        out.print(lines)
    across = sum(pair.crosses_sources for pair in found.pairs)
    whole = sum(pair.same_recording for pair in found.pairs)
    out.print(
        f"{len(found.same_bytes)} recordings listed twice, {whole} recorded once and written twice, {across} pairs "
        f"across sources; {found.n_left_out} of {found.n_events} events left out",
        highlight=False,
        soft_wrap=True,
    )


def _place(source: str, locator: str) -> str:
    return f"{source}: {locator}"


def _likeness(pair: DuplicateEpisodes) -> str:
    if not pair.same_recording:
        return "events"
    path = "" if pair.path_m is None else f", paths {1000 * pair.path_m:.2g} mm apart"
    return f"film {pair.film:.3f}{path}"
