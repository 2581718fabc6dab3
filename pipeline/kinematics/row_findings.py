"""Findings about rows of an action track: the longest runs of a condition by name, the rest in numbers."""

from collections.abc import Callable, Iterator

from pipeline.mask_runs import runs_of
from schemas.array import Bools
from schemas.episode import ActionTrack
from schemas.finding import Finding, Verdict
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S

MOST_RUNS = 5
"""So many runs get a finding of their own; a condition that flickers would fill pages."""


def row_findings(
    ref: EpisodeRef,
    track: ActionTrack,
    rows: Bools,
    check: str,
    describe: Callable[[int, int], tuple[str, float, float]],
) -> Iterator[Finding]:
    """One finding for each of the longest runs of ``rows`` bool [T], in order of time.

    ``describe(first, stop)`` gives the message, value and threshold of a run of rows. They remove nothing: rows that
    mean nothing are invalid, and cleaning decides by that, once the clocks agree.
    """
    runs = runs_of(rows)
    longest = sorted(sorted(runs, key=lambda run: run[0] - run[1])[:MOST_RUNS])
    count = int(rows.sum())
    total = f"{count} of {len(rows)} rows ({count / max(len(rows), 1):.1%}) in {len(runs)} stretches"
    total += f", the {MOST_RUNS} longest are told" if len(runs) > MOST_RUNS else ""
    for first, stop in longest:
        text, value, threshold = describe(first, stop)
        start_ns, end_ns = int(track.times_ns[first]), _end_ns(track, stop)
        where = f"{ref.source}, {ref.locator}: rows {first} to {stop - 1} ({(end_ns - start_ns) / NS_PER_S:.2f} s)"
        yield Finding(
            subject=ref.episode_id,
            source=ref.source,
            stage="ingest",
            check=check,
            verdict=Verdict.KEEP,
            message=f"{where}: {text}; {total}",
            value=round(value, 6),
            threshold=threshold,
            start_ns=start_ns,
            end_ns=end_ns,
        )


def _end_ns(track: ActionTrack, stop: int) -> int:
    """When the run ends: the time of the row after it, or after the last row as long as the row before took."""
    if stop < track.n_rows:
        return int(track.times_ns[stop])
    last = int(track.times_ns[-1])
    return last + (last - int(track.times_ns[-2]) if track.n_rows > 1 else 0)
