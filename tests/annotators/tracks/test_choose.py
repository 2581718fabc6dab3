"""Which track bounds which level."""

from typing import Any

from annotators.tracks.choose import NO_CUT, NO_EDGE, Choice, Use, choices, disjoint
from annotators.tracks.track import HUMAN, tracks_of
from schemas.episode import SourceSpan, SpanMeaning
from schemas.event import Level
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S

END_NS = 30 * NS_PER_S


def said(track: str, meaning: SpanMeaning, *times_s: tuple[float, float]) -> list[SourceSpan]:
    return [
        SourceSpan(track, round(a * NS_PER_S), round(b * NS_PER_S), f"{track} {i}", meaning)
        for i, (a, b) in enumerate(times_s)
    ]


def chosen(*spans: list[SourceSpan], people: list[SourceSpan] | None = None, **spec: Any) -> dict[str, Choice]:
    tracks = [*tracks_of(people or [], HUMAN), *tracks_of([span for found in spans for span in found])]
    return {choice.track.detector: choice for choice in choices(tracks, END_NS, SegmentSpec(**spec))}


STEPS = said("steps", SpanMeaning.SUBTASK, (0, 10), (10, 20), (22, 30))
SKILLS = said("skills", SpanMeaning.ACTION, (0, 4), (4, 10), (12, 20))


def test_tracks_bound_the_level_they_mean() -> None:
    found = chosen(STEPS, SKILLS)
    assert [(c.use, c.level) for c in found.values()] == [(Use.BOUND, Level.ACTION), (Use.BOUND, Level.SUBTASK)]


def test_a_track_whose_spans_overlap_only_informs() -> None:
    crossing = said("narration", SpanMeaning.ACTION, (0, 5), (3, 8), (6, 12), (11, 14), (14, 16))
    choice = chosen(crossing)["source:narration"]
    assert (choice.use, choice.level, len(choice.spans)) == (Use.INFORM, Level.ACTION, 5)
    assert "2 of its 5 spans overlap" in choice.reason


def test_one_overlap_among_many_spans_costs_one_span_and_not_the_track() -> None:
    many = said("steps", SpanMeaning.SUBTASK, *((i, i + 1) for i in range(20)), (4.5, 6.5))
    choice = chosen(many)["source:steps"]
    assert (choice.use, len(choice.spans)) == (Use.BOUND, 20)


def test_spans_that_overlap_by_less_than_the_merge_distance_touch() -> None:
    near = said("steps", SpanMeaning.SUBTASK, (0, 10.1), (10, 20))
    assert len(chosen(near)["source:steps"].spans) == 2
    assert len(disjoint(near, 0)) == 1


def test_chapters_bound_subtasks_only_where_nothing_better_does() -> None:
    chapters = said("chapters", SpanMeaning.CHAPTER, (0, 15), (15, 30))
    assert chosen(chapters)["source:chapters"].level is Level.SUBTASK
    assert chosen(chapters, STEPS)["source:chapters"].use is Use.OFF


def test_subtitles_and_whole_recordings_cut_nothing() -> None:
    speech = said("subtitles", SpanMeaning.SPEECH, (0, 2), (2, 5))
    task = said("task", SpanMeaning.TASK, (0, 30))
    found = chosen(speech, task)
    assert {choice.use for choice in found.values()} == {Use.OFF}
    assert (found["source:subtitles"].reason, found["source:task"].reason) == (NO_CUT, NO_EDGE)


def test_a_track_that_repeats_a_coarser_one_bounds_nothing() -> None:
    """AgiBot's skill says in one word what its action_config says in a sentence."""
    skill = said("skill", SpanMeaning.ACTION, (0, 10), (10, 20), (22, 30))
    assert chosen(STEPS, skill)["source:skill"].use is Use.OFF


def test_people_and_sources_may_bound_the_same_level() -> None:
    mine = said("mine", SpanMeaning.SUBTASK, (5, 15))
    found = chosen(STEPS, people=mine)
    assert [found[name].use for name in ("human:mine", "source:steps")] == [Use.BOUND, Use.BOUND]


def test_the_recipe_has_the_last_word() -> None:
    crossing = said("narration", SpanMeaning.ACTION, (0, 5), (3, 8), (6, 12))
    forced = chosen(crossing, tracks={"narration": "subtask"})["source:narration"]
    assert (forced.use, forced.level, len(forced.spans)) == (Use.BOUND, Level.SUBTASK, 2)
    assert chosen(STEPS, tracks={"steps": "off"})["source:steps"].use is Use.OFF
    assert chosen(STEPS, tracks={"steps": "inform"})["source:steps"].use is Use.INFORM
    found = chosen(STEPS, SKILLS, annotations="off", tracks={"skills": "action"})
    assert [found[name].use for name in ("source:steps", "source:skills")] == [Use.OFF, Use.BOUND]


def test_flags_and_primitives_inform() -> None:
    flags = said("is_intervention", SpanMeaning.INTERVENTION, (3, 9))
    phases = said("phase", SpanMeaning.SEGMENT, (0, 3), (3, 9))
    found = chosen(flags, phases)
    assert (found["source:is_intervention"].use, found["source:is_intervention"].level) == (Use.INFORM, None)
    assert (found["source:phase"].use, found["source:phase"].level) == (Use.INFORM, Level.SEGMENT)
