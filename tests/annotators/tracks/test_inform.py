"""What tracks that bound nothing still say: candidates, words, who stepped in."""

from dataclasses import replace

from annotators.segment import segment
from annotators.tracks.choose import choices
from annotators.tracks.inform import informed, recovery_flags
from annotators.tracks.track import tracks_of
from annotators.tree.claim import make_cut
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import ActionKind, Arm, SourceSpan, SpanMeaning
from schemas.event import BoundaryKind, Event, Level, RecoveryKind, Verb
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S
from tests.annotators.recordings import all_kept, even_times, make_episode, synthetic

SPEC = SegmentSpec()
MS = NS_PER_S // 1000


def said(track: str, meaning: SpanMeaning, *spans: tuple[float, float, str]) -> list[SourceSpan]:
    return [SourceSpan(track, round(a * NS_PER_S), round(b * NS_PER_S), text, meaning) for a, b, text in spans]


def seen(*spans: SourceSpan) -> list[Event]:
    """A quiet video of 20 s of which only its annotations say anything."""
    times = even_times(600, 30)
    episode = replace(make_episode(times, 20 * NS_PER_S, ActionKind.NONE), annotations=spans)
    return segment(episode, None, (), all_kept(episode), None, spec=SPEC)


def test_overlapping_actions_cut_where_they_begin_and_end_and_word_what_they_fit() -> None:
    times = [(2, 6, "open fridge"), (5, 9, "take milk"), (11, 14, "pour milk"), (12, 13, "spill"), (13.6, 17, "wipe")]
    spans = said("narration", SpanMeaning.ACTION, *times)
    actions = [event for event in seen(*spans) if event.level is Level.ACTION]
    edges = {event.start.frame for event in actions if event.start.kind is BoundaryKind.ANNOTATION}
    assert edges == {60, 150, 180, 270, 330, 360, 390, 408, 420, 510}
    assert all(event.boundaries_by.proposer == "visual" for event in actions)
    worded = {(e.span.frame_start, e.span.frame_end): (e.caption, e.verb) for e in actions if e.caption}
    assert worded == {
        (60, 150): ("open fridge", Verb.OPEN),
        (180, 270): ("take milk", Verb.PICK_UP),
        (360, 390): ("spill", Verb.OTHER),
        (420, 510): ("wipe", Verb.WIPE),
    }


def test_a_physical_cut_is_never_displaced_by_an_annotation_beside_it() -> None:
    grasp = make_cut(1000 * MS, BoundaryKind.SUPPORT, "descent")
    dip = make_cut(3000 * MS, BoundaryKind.MOTION, "speed_dip")
    told = [make_cut(t * MS, BoundaryKind.ANNOTATION, "source:x") for t in (1100, 3100, 5000)]
    found = informed([grasp, dip], told, 0.15)
    assert [(cut.t_ns // MS, cut.kind, cut.detectors) for cut in found] == [
        (1000, BoundaryKind.SUPPORT, ("descent", "source:x")),
        (3100, BoundaryKind.ANNOTATION, ("source:x", "speed_dip")),
        (5000, BoundaryKind.ANNOTATION, ("source:x",)),
    ]


def test_a_takeover_labels_the_events_it_covers_and_not_the_task() -> None:
    made = synthetic(make_trajectory(11, {Arm.RIGHT: (Variant.PLAIN,)}))
    flags = said("is_intervention", SpanMeaning.INTERVENTION, (2, 5, "true"))
    episode = replace(made.episode, annotations=tuple(flags))
    events = segment(episode, made.actions, (), all_kept(episode), made.calibration, spec=SPEC)
    for event in events:
        cover = min(event.span.end_ns, 5 * NS_PER_S) - max(event.span.start_ns, 2 * NS_PER_S)
        covered = cover >= (event.span.end_ns - event.span.start_ns) / 2
        is_takeover = event.recovery is RecoveryKind.TAKEOVER
        assert is_takeover == (covered and event.level is not Level.TASK)
    starts = {event.start.frame: event.start for event in events if event.level is Level.ACTION}
    edges = [edge for edge in starts.values() if "source:is_intervention" in edge.detectors]
    assert sorted(abs(edge.t_ns - t * NS_PER_S) <= 0.15 * NS_PER_S for edge, t in zip(edges, (2, 5))) == [True, True]  # noqa: B905


def test_flags_say_which_kind_of_recovery_they_are() -> None:
    spans = [
        *said("segment", SpanMeaning.INTERVENTION, (0, 2, "correction"), (2, 4, "intervention")),
        *said("key_frame", SpanMeaning.RECOVERY, (4, 6, "Failure recovery")),
        *said("segment_type", SpanMeaning.ERROR, (6, 8, "drop"), (8, 9, "failure")),
    ]
    flags = dict(recovery_flags(choices(tracks_of(spans), 10 * NS_PER_S, SPEC)))
    assert {kind: [span.start_ns // NS_PER_S for span in found] for kind, found in flags.items()} == {
        RecoveryKind.TAKEOVER: [2],
        RecoveryKind.CORRECTION: [4, 0],
        RecoveryKind.SLIP: [6],
    }


def test_a_correction_outranks_what_the_signals_call_it() -> None:
    made = synthetic(make_trajectory(11, {Arm.RIGHT: (Variant.SLIP,)}))
    whole = said("recovery_segment", SpanMeaning.RECOVERY, (0, made.episode.master.end_ns / NS_PER_S, "true"))
    episode = replace(made.episode, annotations=tuple(whole))
    events = segment(episode, made.actions, (), all_kept(episode), made.calibration, spec=SPEC)
    assert {e.recovery for e in events if e.level is Level.ACTION} == {RecoveryKind.CORRECTION}
    assert {e.recovery for e in events if e.level is Level.TASK} == {RecoveryKind.NONE}
