"""Coarser views: what they say on episodes whose truth is known, and that they tile."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotators.segment import segment
from annotators.tree.pick_place import Coarse, CoarseSpan, View, coarse_view
from pipeline.synthetic.trajectory import Trajectory, Variant, make_trajectory
from pipeline.synthetic.truth import Phase
from schemas.episode import ActionKind, Arm, SourceSpan, SpanMeaning
from schemas.event import Event, Level
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S
from tests.annotators.recordings import all_kept, even_times, make_episode, synthetic

PICKING = {Phase.REACH, Phase.GRASP, Phase.LIFT}
PLACING = {Phase.TRANSPORT, Phase.PLACE, Phase.RELEASE, Phase.RETREAT}


def names(spans: list[CoarseSpan]) -> list[str]:
    return [span.name.value for span in spans]


def seen(*variants: Variant, seed: int = 5, view: View = View.PICK_PLACE) -> list[CoarseSpan]:
    return coarse_view(synthetic(make_trajectory(seed, {Arm.RIGHT: variants})).tree(), view)


def true_name(trajectory: Trajectory, t_ns: int) -> Coarse | None:
    """What the simulated phase at a moment is; None at rest."""
    phase = next((p.phase for p in trajectory.phases if p.start_ns <= t_ns < p.end_ns), Phase.IDLE)
    return Coarse.PICK if phase in PICKING else Coarse.PLACE if phase in PLACING else None


@pytest.mark.parametrize("variants", [(Variant.PLAIN,), (Variant.PAUSE,), (Variant.MISS,), (Variant.PLAIN,) * 3])
def test_picks_and_places_lie_where_the_truth_has_them(variants: tuple[Variant, ...]) -> None:
    right = asked = 0
    for seed in range(4):
        trajectory = make_trajectory(seed, {Arm.RIGHT: variants})
        spans = coarse_view(synthetic(trajectory).tree(), View.PICK_PLACE)
        assert names(spans) == ["pick", "place"] * len(variants)
        for t_ns in range(0, trajectory.end_ns, NS_PER_S // 20):
            true = true_name(trajectory, t_ns)
            said = next(span.name for span in spans if span.start_ns <= t_ns < span.end_ns)
            asked += true is not None
            right += said is true
    assert right / asked > 0.96


def test_what_was_picked_and_dropped_is_no_place() -> None:
    assert names(seen(Variant.SLIP)) == ["pick", "other", "pick", "place"]


def test_a_grasp_that_caught_nothing_is_no_pick() -> None:
    assert names(seen(Variant.ABANDON)) == ["other"]


def test_an_object_is_one_stretch_whatever_goes_wrong_with_it() -> None:
    assert names(seen(Variant.SLIP, view=View.OBJECTS)) == ["object"]
    assert names(seen(Variant.PLAIN, Variant.MISS, view=View.OBJECTS)) == ["object", "object"]


def test_two_arms_are_read_apart_and_share_one_timeline() -> None:
    trajectory = make_trajectory(2, {Arm.LEFT: (Variant.PLAIN,), Arm.RIGHT: (Variant.PLAIN,)})
    spans = coarse_view(synthetic(trajectory).tree(), View.PICK_PLACE)
    for arm in Arm:
        mine = [span.name for span in spans if span.arm is arm]
        assert mine[:1] == [Coarse.PICK]
        assert mine[-1] is Coarse.PLACE
        assert Coarse.OTHER not in mine


def test_given_actions_are_read_by_the_same_rules() -> None:
    made = synthetic(make_trajectory(5, {Arm.RIGHT: (Variant.PLAIN,)}))
    middle, end = 3_415_000_000, made.episode.master.end_ns
    spans = (
        SourceSpan("skill", 0, middle, "Pick up the cup", SpanMeaning.ACTION),
        SourceSpan("skill", middle, end, "Place it", SpanMeaning.ACTION),
    )
    episode = replace(made.episode, annotations=spans)
    tree = segment(episode, made.actions, (), all_kept(episode), made.calibration, spec=SegmentSpec())
    assert names(coarse_view(tree, View.PICK_PLACE)) == ["pick", "place"]
    assert names(coarse_view(tree, View.OBJECTS)) == ["object"]


def test_where_signals_see_nothing_the_words_of_a_given_subtask_decide() -> None:
    times = even_times(300, 30)
    said = (
        SourceSpan("steps", 0, 4 * NS_PER_S, "Pick up the cup", SpanMeaning.SUBTASK),
        SourceSpan("steps", 4 * NS_PER_S, 7 * NS_PER_S, "Place it in the sink", SpanMeaning.SUBTASK),
        SourceSpan("steps", 7 * NS_PER_S, 9 * NS_PER_S, "Look around", SpanMeaning.SUBTASK),
    )
    episode = replace(make_episode(times, 10 * NS_PER_S, ActionKind.NONE), annotations=said)
    tree = segment(episode, None, (), all_kept(episode), None, spec=SegmentSpec())
    spans = coarse_view(tree, View.PICK_PLACE)
    assert [(span.name.value, span.frame_start) for span in spans] == [("pick", 0), ("place", 120), ("other", 210)]
    assert names(coarse_view(tree, View.OBJECTS)) == ["object", "other"]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999),
    left=st.lists(st.sampled_from(list(Variant)), max_size=2),
    right=st.lists(st.sampled_from(list(Variant)), min_size=1, max_size=3),
    view=st.sampled_from(list(View)),
)
def test_a_view_tiles_what_the_tree_covers_and_uses_every_action_once(
    seed: int, left: list[Variant], right: list[Variant], view: View
) -> None:
    arms = {Arm.RIGHT: tuple(right)} | ({Arm.LEFT: tuple(left)} if left else {})
    tree: list[Event] = synthetic(make_trajectory(seed, arms)).tree()
    spans = coarse_view(tree, view)
    assert [span.frame_start for span in spans[1:]] == [span.frame_end for span in spans[:-1]]
    (task,) = (event.span for event in tree if event.level is Level.TASK)
    assert (spans[0].frame_start, spans[-1].frame_end) == (task.frame_start, task.frame_end)
    used = [action for span in spans for action in span.actions]
    assert sorted(used) == sorted(event.event_id for event in tree if event.level is Level.ACTION)
    assert {span.name for span in spans} <= ({Coarse.OBJECT, Coarse.OTHER} if view is View.OBJECTS else set(Coarse))
