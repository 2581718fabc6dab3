"""Which kept ranges can carry events."""

from annotators.tree.ranges import left_out, usable_ranges
from schemas.finding import Verdict
from schemas.time import NS_PER_S
from tests.annotators.recordings import all_kept, even_times, make_arm, make_episode, make_track

EPISODE = make_episode(even_times(100, 10), 10 * NS_PER_S)
CLOCK = EPISODE.master.clock
S = NS_PER_S


def test_a_range_shorter_than_an_event_is_left_out_with_a_finding() -> None:
    alignment = all_kept(EPISODE, (0, 3 * S), (5 * S, 5 * S + 4 * S // 10))
    actions = make_track(even_times(100, 10), make_arm())
    assert usable_ranges(alignment, CLOCK, actions) == [(0, 30)]
    (finding,) = left_out(EPISODE, alignment, CLOCK, actions)
    assert (finding.check, finding.verdict, finding.value) == ("range_too_short", Verdict.TRIM, 4.0)
    assert (finding.start_ns, finding.end_ns) == (5 * S, 5 * S + 4 * S // 10)


def test_a_range_without_any_action_row_is_left_out_with_a_finding() -> None:
    alignment = all_kept(EPISODE, (0, 3 * S), (5 * S, 9 * S))
    actions = make_track(even_times(40, 10), make_arm())
    assert usable_ranges(alignment, CLOCK, actions) == [(0, 30)]
    (finding,) = left_out(EPISODE, alignment, CLOCK, actions)
    assert finding.check == "range_without_actions"
    assert "[50, 90)" in finding.message


def test_without_actions_only_the_length_counts() -> None:
    alignment = all_kept(EPISODE, (0, 3 * S), (5 * S, 9 * S))
    assert usable_ranges(alignment, CLOCK, None) == [(0, 30), (50, 90)]
    assert left_out(EPISODE, alignment, CLOCK, None) == []
