"""The source's own annotations as truth: ``joinery score --truth track:NAME``.

Only as good as the source, and of no kind: where one of its spans begins or ends a boundary is true, whatever is
physical about it. Events that were cut by that very track would agree with it perfectly, so they are refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from annotators.tracks.choose import LEVEL_OF
from annotators.tracks.track import SOURCE
from annotators.tracks.words import verb_of
from pipeline.errors import JoineryError
from pipeline.ledger import Ledger
from schemas.episode import Episode, SourceSpan
from schemas.event import BoundaryKind, Event, Level
from schemas.time import NS_PER_S
from schemas.truth import TrueMark, TruePart, Truth, TruthEpisode

TRACK = "track:"


def track_truth(ledger: Ledger, name: str) -> tuple[Truth, Level]:
    """What one track says of every episode that has it, and the level it speaks of. Raises JoineryError for none."""
    entries: list[TruthEpisode] = []
    level, others = Level.ACTION, set[str]()
    for episode in ledger.present(Episode, "ingest"):
        spans = [span for span in episode.annotations if span.track == name and span.end_ns > span.start_ns]
        others |= {span.track for span in episode.annotations}
        if spans and episode.cameras:
            level = LEVEL_OF.get(spans[0].meaning, Level.ACTION)
            entries.append(_entry(episode, spans))
    if not entries:
        there = ", ".join(sorted(others)) or "none at all"
        raise JoineryError(f"{TRACK}{name}: no episode with pictures has such a track; their tracks: {there}")
    return Truth(truth=1, kinds=(), episodes=tuple(entries)), level


def _entry(episode: Episode, spans: Sequence[SourceSpan]) -> TruthEpisode:
    ends = int(episode.master.times_ns[0]), episode.master.end_ns
    times = sorted({t for span in spans for t in (span.start_ns, span.end_ns) if ends[0] < t < ends[1]})
    verbs = [(span, verb_of(span.text)) for span in spans]
    length_s = episode.master.end_ns / NS_PER_S
    return TruthEpisode(
        source=episode.source,
        locator=episode.locator,
        rate_hz=episode.master.n_frames / length_s,
        n_frames=episode.master.n_frames,
        instruction=episode.instruction,
        boundaries=tuple(TrueMark(kind=BoundaryKind.ANNOTATION, t_ns=t_ns) for t_ns in times),
        phases=tuple(
            TruePart(phase=verb.value, start_ns=span.start_ns, end_ns=span.end_ns)
            for span, verb in verbs
            if verb is not None
        ),
    )


def refuse_own_cuts(name: str, events: Sequence[Event]) -> None:
    """Raises JoineryError when any event was placed by the track it is to be scored against."""
    own = f"{SOURCE}:{name}"
    if name and any(own in edge.detectors for event in events for edge in (event.start, event.end)):
        raise JoineryError(
            f"{TRACK}{name}: these events were cut by that very track and would agree with it perfectly; run and score "
            "with `--set segment.annotations=off`"
        )
