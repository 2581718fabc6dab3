"""Which track bounds which level, which only informs, and why not: decided by meaning, or by the recipe.

A track bounds a level when its spans hardly overlap: then each of them is one event of that level. One whose spans
overlap (EPIC-KITCHENS) has no place in a tree; its edges are candidates among others and its words caption what they
fit. A track whose edges all lie at the ends of the recording, or repeat those of a coarser one, says nothing new.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from annotators.tracks.track import RANK, Track
from schemas.episode import SourceSpan, SpanMeaning
from schemas.event import Level
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S

LEVEL_OF: Mapping[SpanMeaning, Level] = MappingProxyType(
    {
        SpanMeaning.TASK: Level.TASK,
        SpanMeaning.SUBTASK: Level.SUBTASK,
        SpanMeaning.CHAPTER: Level.SUBTASK,
        SpanMeaning.ACTION: Level.ACTION,
        SpanMeaning.SEGMENT: Level.SEGMENT,
    }
)
FLAGS = frozenset({SpanMeaning.INTERVENTION, SpanMeaning.ERROR, SpanMeaning.RECOVERY})
"""Row by row: who steers, what went wrong, what repairs it."""
BOUNDED = (Level.TASK, Level.SUBTASK, Level.ACTION)
MAX_OVERLAPPING = 0.1
"""Share of spans a bounding track may lose to overlaps, one in any case; Goal-Step's steps lose 2 %, EPIC's more."""


NO_EDGE = "none of its edges lies inside the recording"
NO_CUT = "its kind of annotation cuts nothing"
"""Reasons that go without saying: the task's words, subtitles, facts."""


class Use(StrEnum):
    """What is made of a track."""

    BOUND = "bound"
    INFORM = "inform"
    OFF = "off"


@dataclass(frozen=True)
class Choice:
    """One track and what becomes of it."""

    track: Track
    use: Use
    level: Level | None
    """What its spans bound, or what their words are for; None for flags, contacts and what is not used."""
    spans: tuple[SourceSpan, ...]
    """Those that bound the level, in time order, disjoint but for ``merge_s``; all of them for other uses."""
    reason: str = ""


def choices(tracks: Sequence[Track], end_ns: int, spec: SegmentSpec) -> list[Choice]:
    """One choice per track. ``end_ns`` is where the recording ends."""
    tolerance_ns = round(spec.merge_s * NS_PER_S)
    found = [choice for track in tracks if (choice := _by_name(track, tolerance_ns, spec)) is not None]
    named = {id(choice.track) for choice in found}
    left = [track for track in tracks if id(track) not in named]
    for level in BOUNDED:
        at_level = [track for track in left if LEVEL_OF.get(track.meaning) is level]
        at_level.sort(
            key=lambda track: (RANK.index(track.proposer), track.meaning is SpanMeaning.CHAPTER, _order(track))
        )
        for track in at_level:
            found.append(_by_meaning(track, level, found, end_ns, tolerance_ns))
    found += [_unbound(track) for track in left if LEVEL_OF.get(track.meaning) not in BOUNDED]
    return sorted(found, key=lambda choice: tracks.index(choice.track))


def _by_name(track: Track, tolerance_ns: int, spec: SegmentSpec) -> Choice | None:
    """What the recipe says about this track; None when it leaves it to the meaning."""
    wanted = spec.tracks.get(track.name)
    if wanted is None:
        return (
            Choice(track, Use.OFF, None, track.spans, "segment.annotations is off")
            if spec.annotations == "off"
            else None
        )
    if wanted == "off":
        return Choice(track, Use.OFF, None, track.spans, f"segment.tracks.{track.name} is off")
    if wanted == "inform":
        return Choice(track, Use.INFORM, LEVEL_OF.get(track.meaning), track.spans)
    return Choice(track, Use.BOUND, Level(wanted), disjoint(track.spans, tolerance_ns))


def _by_meaning(track: Track, level: Level, before: Sequence[Choice], end_ns: int, tolerance_ns: int) -> Choice:
    spans = disjoint(track.spans, tolerance_ns)
    lasting = [span for span in track.spans if span.end_ns > span.start_ns]
    bounding = [choice for choice in before if choice.use is Use.BOUND]
    rivals = [one.track.name for one in bounding if one.level is level and one.track.proposer == track.proposer]
    if rivals:
        return Choice(track, Use.OFF, None, track.spans, f"{rivals[0]} already bounds the {level} level")
    ends = {t for t in _edges(spans) if tolerance_ns < t < end_ns - tolerance_ns}
    if not ends:
        return Choice(track, Use.OFF, None, track.spans, NO_EDGE)
    coarser = sorted(t for one in bounding if one.level is not level for t in _edges(one.spans))
    if all(any(abs(t - other) <= tolerance_ns for other in coarser) for t in ends):
        return Choice(track, Use.OFF, None, track.spans, "it repeats the edges of a coarser track")
    if len(lasting) - len(spans) > max(1, MAX_OVERLAPPING * len(lasting)):
        reason = f"{len(lasting) - len(spans)} of its {len(lasting)} spans overlap others"
        return Choice(track, Use.INFORM, level, track.spans, reason)
    return Choice(track, Use.BOUND, level, spans)


def _unbound(track: Track) -> Choice:
    if track.meaning is SpanMeaning.SEGMENT:
        return Choice(track, Use.INFORM, Level.SEGMENT, track.spans)
    if track.meaning in FLAGS or track.meaning is SpanMeaning.CONTACT:
        return Choice(track, Use.INFORM, None, track.spans)
    return Choice(track, Use.OFF, None, track.spans, NO_CUT)


def disjoint(spans: Sequence[SourceSpan], tolerance_ns: int) -> tuple[SourceSpan, ...]:
    """As many lasting spans as possible of which none overlaps another by more than the tolerance, in time order."""
    kept: list[SourceSpan] = []
    for span in sorted(spans, key=lambda span: (span.end_ns, -span.start_ns, span.text)):
        if span.end_ns > span.start_ns and (not kept or span.start_ns >= kept[-1].end_ns - tolerance_ns):
            kept.append(span)
    return tuple(kept)


def _edges(spans: Iterable[SourceSpan]) -> Iterator[int]:
    for span in spans:
        yield from (span.start_ns, span.end_ns)


def _order(track: Track) -> tuple[int, str]:
    """Tracks that say more come first."""
    return -sum(span.end_ns - span.start_ns for span in track.spans), track.name
