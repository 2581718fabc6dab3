"""Given spans in a finished tree: they stand as they are, and everything around them still nests and covers."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from annotators.caption import caption
from annotators.segment import segment
from annotators.tracks.choose import disjoint
from annotators.tree.ranges import usable_ranges
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import ActionKind, Arm, Episode, SourceSpan, SpanMeaning
from schemas.event import BoundaryKind, Event, Level, Verb
from schemas.recipe import SegmentSpec
from schemas.recipe_caption import TemplateCaption
from schemas.time import NS_PER_S
from schemas.tree import violations
from schemas.truth import PHYSICAL_KINDS
from tests.annotators.recordings import (
    Recording,
    all_kept,
    calibration_of,
    even_times,
    make_arm,
    make_episode,
    make_track,
    synthetic,
)

SPEC = SegmentSpec()


def recording() -> Recording:
    return synthetic(make_trajectory(11, {Arm.RIGHT: (Variant.PLAIN, Variant.PLAIN)}))


def said(track: str, meaning: SpanMeaning, *spans: tuple[float, float, str]) -> tuple[SourceSpan, ...]:
    return tuple(SourceSpan(track, round(a * NS_PER_S), round(b * NS_PER_S), text, meaning) for a, b, text in spans)


def tree(made: Recording, *annotations: SourceSpan, **spec: str) -> list[Event]:
    episode = replace(made.episode, annotations=annotations)
    return segment(
        episode,
        made.actions,
        (),
        all_kept(episode),
        made.calibration,
        spec=SPEC.model_copy(update=spec),
    )


def at(events: Sequence[Event], level: Level) -> list[Event]:
    return sorted((e for e in events if e.level is level), key=lambda e: e.span.frame_start)


def frames(events: Sequence[Event], level: Level) -> list[tuple[int, int]]:
    return [(event.span.frame_start, event.span.frame_end) for event in at(events, level)]


STEPS = said("steps", SpanMeaning.SUBTASK, (1, 4, "Pick up the red cup"), (4, 7, "Put it in the sink"))


def test_a_subtask_of_the_source_is_one_subtask_in_its_own_words() -> None:
    events = tree(recording(), *STEPS)
    given_ones = [event for event in at(events, Level.SUBTASK) if event.boundaries_by.proposer == "source"]
    assert [(event.span.frame_start, event.span.frame_end) for event in given_ones] == [(30, 120), (120, 210)]
    assert [event.caption for event in given_ones] == ["Pick up the red cup", "Put it in the sink"]
    assert [event.verb for event in given_ones] == [Verb.PICK_UP, Verb.PLACE]
    assert given_ones[0].objects == ("red cup",)
    assert {event.caption_by and event.caption_by.model for event in given_ones} == {"steps"}
    assert given_ones[0].start.confidence == 1.0
    assert given_ones[0].start.detectors[-1] == "source:steps"


def test_the_detectors_cuts_stay_below_a_given_subtask() -> None:
    alone, with_steps = at(tree(recording()), Level.ACTION), at(tree(recording(), *STEPS), Level.ACTION)
    physical = {event.start.frame for event in alone if event.start.kind in PHYSICAL_KINDS}
    kept = {event.start.frame for event in with_steps}
    lost = {frame for frame in physical - kept if min(abs(frame - edge) for edge in (30, 120, 210)) > 5}
    assert lost == set()


def test_a_given_action_keeps_the_detectors_cuts_as_segments() -> None:
    made = recording()
    grasp = next(event.start.frame for event in tree(made) if event.start.kind is BoundaryKind.GRASP)
    around = (grasp / 30 - 1, grasp / 30 + 1.5)
    events = tree(made, *said("skill", SpanMeaning.ACTION, (*around, "Grasp it")))
    (given_one,) = [event for event in at(events, Level.ACTION) if event.boundaries_by.proposer == "source"]
    assert given_one.span.frame_start < grasp < given_one.span.frame_end
    assert given_one.verb is Verb.GRASP
    inside = [event.start for event in at(events, Level.SEGMENT) if event.parent_id == given_one.event_id]
    assert BoundaryKind.GRASP in {edge.kind for edge in inside}


def test_a_physical_cut_beside_a_given_edge_keeps_both_facts() -> None:
    made = recording()
    grasp = next(event.start for event in tree(made) if event.start.kind is BoundaryKind.GRASP)
    events = tree(made, *said("steps", SpanMeaning.SUBTASK, (0, (grasp.frame + 3) / 30, "Approach")))
    edge = at(events, Level.SUBTASK)[1].start
    assert (edge.kind, edge.frame, edge.confidence, edge.arm) == (BoundaryKind.GRASP, grasp.frame + 3, 1.0, grasp.arm)
    assert edge.detectors == ("gripper_plateau", "source:steps")
    assert all(abs(event.start.frame - grasp.frame) in (0, 3) or event.start.frame != grasp.frame for event in events)


def test_off_means_as_if_nobody_had_said_anything() -> None:
    assert tree(recording(), *STEPS, annotations="off") == tree(recording())


def test_a_gap_too_short_for_an_event_goes_to_the_span_beside_it() -> None:
    events = tree(recording(), *said("steps", SpanMeaning.SUBTASK, (0.1, 3, "one"), (3.1, 6, "two")))
    assert frames(events, Level.SUBTASK)[:2] == [(0, 90), (90, 180)]


def test_what_crosses_a_coarser_span_is_left_out_and_what_only_brushes_it_is_cut() -> None:
    skills = said("skill", SpanMeaning.ACTION, (1, 3.9, "first"), (3.95, 5, "brushes"), (6, 8, "crosses"))
    events = tree(recording(), *STEPS, *skills)
    given_ones = [event.caption for event in at(events, Level.ACTION) if event.boundaries_by.proposer == "source"]
    assert given_ones == ["first", "brushes"]


def test_captioning_changes_nothing_that_people_or_sources_made() -> None:
    made = recording()
    before = tree(made, *STEPS)
    after = {event.event_id: event for event in caption(before, made.episode, TemplateCaption())}
    for event in before:
        assert after[event.event_id].span == event.span
        if event.caption_by is not None:
            assert after[event.event_id] == event
    assert all(event.caption for event in after.values())


def test_what_lies_in_a_given_subtask_is_about_the_object_it_names() -> None:
    made = recording()
    worded = caption(tree(made, *STEPS), made.episode, TemplateCaption())
    first = next(event for event in worded if event.caption == "Pick up the red cup")
    inside = [event.caption for event in worded if event.parent_id == first.event_id]
    assert any("the red cup" in text for text in inside)
    assert not any("the object" in text for text in inside)


# -- real annotations ------------------------------------------------------------------------------------------------


def goal_step(video: dict[str, object]) -> Episode:
    """A video of Ego4D Goal-Step with pictures at 4 Hz (it comes without), and every span as it was said."""
    end_ns = round(float(str(video["end_time"])) * NS_PER_S) + 10 * NS_PER_S
    times = even_times(end_ns * 4 // NS_PER_S, 4.0)
    steps = [step for step in video["segments"] if isinstance(step, dict)]  # type: ignore[attr-defined]
    levels = [("step", SpanMeaning.SUBTASK, steps)]
    levels.append(("substep", SpanMeaning.ACTION, [below for step in steps for below in step["segments"]]))
    spans = [
        SourceSpan(
            name,
            round(item["start_time"] * NS_PER_S),
            round(item["end_time"] * NS_PER_S),
            item["step_description"],
            meaning,
        )
        for name, meaning, items in levels
        for item in items
    ]
    return replace(make_episode(times, end_ns, ActionKind.NONE), annotations=tuple(spans))


def test_goal_steps_own_steps_become_subtasks(real: Path) -> None:
    file = real / "egocentric" / "ego4d_goalstep_annotations" / "goalstep_valid.json"
    wanted = made = 0
    for video in json.loads(file.read_text())["videos"][:12]:
        episode = goal_step(video)
        events = segment(episode, None, (), all_kept(episode), None, spec=SPEC)
        steps = [s for s in episode.annotations if s.track == "step" and s.end_ns - s.start_ns > 2 * NS_PER_S]
        found = {event.caption for event in at(events, Level.SUBTASK) if event.boundaries_by.model == "step"}
        wanted += len(disjoint(steps, NS_PER_S))
        made += sum(step.text in found for step in disjoint(steps, NS_PER_S))
    assert wanted > 200
    assert made / wanted > 0.97


# -- whatever is said ------------------------------------------------------------------------------------------------

MEANINGS = tuple(SpanMeaning)
spans_of_anyone = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(MEANINGS),
        st.floats(-2, 12),
        st.floats(-1, 8),
        st.sampled_from(["Pick up the cup", "", "x"]),
    ),
    max_size=12,
)
kept_ranges = st.lists(st.floats(0, 10), min_size=2, max_size=6, unique=True).map(sorted)


@settings(max_examples=120, deadline=None)
@given(
    spans=spans_of_anyone,
    edges=kept_ranges,
    seed=st.integers(0, 2**16),
    fps=st.sampled_from([4.0, 15.0, 30.0, 60.0]),
    armed=st.booleans(),
)
def test_any_spans_over_any_signal_and_any_kept_ranges_give_a_valid_tree(
    spans: list[tuple[str, SpanMeaning, float, float, str]],
    edges: list[float],
    seed: int,
    fps: float,
    armed: bool,
) -> None:
    def as_spans(found: list[tuple[str, SpanMeaning, float, float, str]]) -> tuple[SourceSpan, ...]:
        return tuple(
            SourceSpan(track, round(a * NS_PER_S), round((a + d) * NS_PER_S), text, m) for track, m, a, d, text in found
        )

    rng = np.random.default_rng(seed)
    times = even_times(round(10 * fps), fps)
    kind = ActionKind.MEASURED if armed else ActionKind.NONE
    episode = replace(make_episode(times, 10 * NS_PER_S, kind), annotations=as_spans(spans))
    walk = np.cumsum(rng.normal(0, 0.01, (len(times), 3)), axis=0).astype(np.float32)
    opening = np.repeat(rng.integers(0, 2, 10), -(-len(times) // 10))[: len(times)].astype(np.float32)
    track = make_track(times, make_arm(walk, opening)) if armed else None
    ranges = [(round(a * NS_PER_S), round(b * NS_PER_S)) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    alignment = all_kept(episode, *ranges)
    events = segment(episode, track, (), alignment, calibration_of(), spec=SPEC)
    clock = episode.master.clock
    expected = usable_ranges(alignment, clock, track)
    assert violations(events, clock, expected, kind) == []
    worded = caption(events, episode, TemplateCaption())
    assert [(e.event_id, e.span, e.start, e.end, e.parent_id) for e in worded] == [
        (e.event_id, e.span, e.start, e.end, e.parent_id) for e in events
    ]
    made_by_us = {"kinematic", "visual", "template"}
    after = {event.event_id: event for event in worded}
    assert all(after[e.event_id] == e for e in events if e.caption_by and e.caption_by.proposer not in made_by_us)
