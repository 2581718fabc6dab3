"""What tracks that bound nothing still say: candidate cuts, words for the events they fit, and who stepped in.

Their edges compete with the detectors' cuts and never displace a physical one; a physical cut beside such an edge
remembers it. Words go to the event that a span fits best. Flags of the source label the events they cover: what a
person did instead of a policy is a TAKEOVER, what repairs is a CORRECTION.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from annotators.tracks.choose import FLAGS, Choice, Use
from annotators.tracks.track import RANK
from annotators.tracks.words import verb_of
from annotators.tree.claim import Cut, make_cut, survivors
from schemas.episode import SourceSpan, SpanMeaning
from schemas.event import BoundaryKind, Event, Level, RecoveryKind, Verb
from schemas.time import NS_PER_S
from schemas.truth import TRUTH_KINDS

_TRUST = 0.6
"""People mark the actions of an overlapping track within half a second or so: better than any cut from pictures."""
_FLAG = (0.9, 0.05)
"""Confidence and σ of a flag: the row in which a person took over is known, what moved then is not."""
_LEAST_OVERLAP = 0.5
"""tIoU from which on words describe an event."""
_LEAST_COVER = 0.5
_ERRORS = {"drop": RecoveryKind.SLIP, "slip": RecoveryKind.SLIP, "miss": RecoveryKind.MISS}


def told_cuts(choices: Sequence[Choice], start_ns: int, end_ns: int) -> list[Cut]:
    """Edges of informing tracks strictly inside the recording, as cuts."""
    found = []
    for choice in choices:
        if choice.use is not Use.INFORM or choice.level is Level.SEGMENT:
            continue
        times = {t for span in choice.spans for t in (span.start_ns, span.end_ns) if start_ns < t < end_ns}
        for t_ns in sorted(times):
            cut = make_cut(t_ns, BoundaryKind.ANNOTATION, choice.track.detector, trust=_TRUST)
            if choice.track.meaning in FLAGS:
                cut = replace(cut, confidence=_FLAG[0], sigma_s=_FLAG[1])
            found.append(cut)
    return found


def told_primitives(choices: Sequence[Choice], start_ns: int, end_ns: int) -> list[Cut]:
    """Edges of tracks of motion primitives: they divide actions like the detectors' candidates, and before them."""
    return [
        make_cut(t_ns, BoundaryKind.ANNOTATION, choice.track.detector, trust=_TRUST)
        for choice in choices
        if choice.use is Use.INFORM and choice.level is Level.SEGMENT
        for t_ns in sorted({t for span in choice.spans for t in (span.start_ns, span.end_ns) if start_ns < t < end_ns})
    ]


def informed(cuts: Sequence[Cut], told: Sequence[Cut], merge_s: float) -> list[Cut]:
    """Detectors' cuts and told ones in time order; one of each within ``merge_s`` is one cut with both detectors."""
    if not told:
        return list(cuts)
    merge_ns = int(merge_s * NS_PER_S)
    physical = sorted((cut for cut in cuts if cut.kind in TRUTH_KINDS), key=lambda cut: cut.t_ns)
    times = np.array([cut.t_ns for cut in physical], np.int64)
    said: dict[int, set[str]] = {}
    free = []
    for cut in told:
        near = np.flatnonzero(np.abs(times - cut.t_ns) < merge_ns)
        if near.size:
            best = int(near[np.argmin(np.abs(times[near] - cut.t_ns))])
            said.setdefault(best, set()).update(cut.detectors)
        else:
            free.append(cut)
    joined = [
        replace(cut, detectors=tuple(sorted({*cut.detectors, *said.get(i, ())}))) for i, cut in enumerate(physical)
    ]
    others = [cut for cut in cuts if cut.kind not in TRUTH_KINDS]
    loose = survivors([*others, *free], lambda a, b: b.t_ns - a.t_ns < merge_ns) if free else others
    return sorted([*joined, *loose], key=lambda cut: (cut.t_ns, -cut.confidence, cut.kind))


def worded(events: Sequence[Event], choices: Sequence[Choice]) -> list[Event]:
    """Events that an informing span fits best and that nobody has worded carry its words."""
    captions: dict[str, Event] = {}
    informing = [choice for choice in choices if choice.use is Use.INFORM and choice.level is not None]
    for choice in sorted(informing, key=lambda choice: RANK.index(choice.track.proposer)):
        at_level = [
            event
            for event in events
            if event.level is choice.level and event.caption_by is None and event.event_id not in captions
        ]
        fits = sorted(
            (
                (_overlap(event, span), i, j)
                for i, span in enumerate(choice.spans)
                for j, event in _near(at_level, span)
            ),
            key=lambda fit: (-fit[0], fit[1], fit[2]),
        )
        used: set[int] = set()
        for overlap, i, j in fits:
            event, span = at_level[j], choice.spans[i]
            if overlap < _LEAST_OVERLAP or i in used or event.event_id in captions:
                continue
            used.add(i)
            verb = (verb_of(span.text) or event.verb) if event.verb is Verb.OTHER else event.verb
            captions[event.event_id] = replace(event, caption=span.text, caption_by=choice.track.provenance, verb=verb)
    return [captions.get(event.event_id, event) for event in events]


def _near(events: Sequence[Event], span: SourceSpan) -> list[tuple[int, Event]]:
    starts = [event.span.start_ns for event in events]
    first = max(0, int(np.searchsorted(starts, span.start_ns, side="right")) - 1)
    last = int(np.searchsorted(starts, span.end_ns, side="left"))
    return list(enumerate(events))[first:last]


def _overlap(event: Event, span: SourceSpan) -> float:
    """Temporal intersection over union."""
    inside = min(event.span.end_ns, span.end_ns) - max(event.span.start_ns, span.start_ns)
    union = max(event.span.end_ns, span.end_ns) - min(event.span.start_ns, span.start_ns)
    return max(0, inside) / union


def recovery_flags(choices: Sequence[Choice]) -> list[tuple[RecoveryKind, list[SourceSpan]]]:
    """The spans of each kind that the source's flags name, the more telling kind first."""
    found: dict[RecoveryKind, list[SourceSpan]] = {
        kind: [] for kind in (RecoveryKind.TAKEOVER, RecoveryKind.CORRECTION)
    }
    for choice in choices:
        if choice.use is not Use.OFF and choice.track.meaning in FLAGS:
            for span in choice.spans:
                kind = _kind_of(span)
                if kind is not None:
                    found.setdefault(kind, []).append(span)
    return [(kind, spans) for kind, spans in found.items() if spans]


def _kind_of(span: SourceSpan) -> RecoveryKind | None:
    """An intervention is a takeover unless it calls itself a correction; of errors only those we have a name for."""
    said = f"{span.track} {span.text}".lower()
    if span.meaning is SpanMeaning.ERROR:
        return next((kind for word, kind in _ERRORS.items() if word in said), None)
    if span.meaning is SpanMeaning.RECOVERY or "correct" in said:
        return RecoveryKind.CORRECTION
    return RecoveryKind.TAKEOVER


def recovered(events: Sequence[Event], choices: Sequence[Choice]) -> list[Event]:
    """Events below the Task of which flags cover at least half are labelled by them; a source outranks signals."""
    flags = recovery_flags(choices)
    if not flags:
        return list(events)
    labelled = []
    for event in events:
        kinds = (kind for kind, spans in flags if _cover(event, spans) >= _LEAST_COVER)
        kind = None if event.level is Level.TASK else next(kinds, None)
        labelled.append(event if kind is None else replace(event, recovery=kind))
    return labelled


def _cover(event: Event, spans: Sequence[SourceSpan]) -> float:
    """Share of an event that spans cover together."""
    covered, at = 0, event.span.start_ns
    for span in sorted(spans, key=lambda span: (span.start_ns, span.end_ns)):
        first, last = max(at, span.start_ns), min(event.span.end_ns, span.end_ns)
        if last > first:
            covered += last - first
            at = last
    return covered / (event.span.end_ns - event.span.start_ns)
