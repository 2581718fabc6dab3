"""One clock for a bag: header stamps, unless they cannot be right; gaps and jitter with value and threshold."""

from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.sources.ros.ros_clock import Chosen, Stamps, choose, clock_findings, in_order, rate_findings, times_of
from schemas.finding import Finding, Verdict

S = 1_000_000_000
MS = 1_000_000
NOW = 1_700_000_000 * S


def stamps(header_ns: Sequence[int | None], lag_ns: int = 20 * MS) -> Stamps:
    made = Stamps()
    for i, t_ns in enumerate(header_ns):
        made.add(t_ns, NOW + i * 50 * MS + lag_ns)
    return made


def regular(shift_ns: int = 0) -> list[int]:
    return [NOW + shift_ns + i * 50 * MS for i in range(10)]


def tell(check: str, message: str, value: float | None, threshold: float | None) -> Finding:
    return Finding("ep", "bags", "ingest", check, Verdict.KEEP, message, value, threshold)


def clocks(chosen: dict[str, Chosen]) -> dict[str, str]:
    return {topic: choice.clock for topic, choice in chosen.items()}


def test_header_stamps_count() -> None:
    assert clocks(choose({"/a": stamps(regular())}, "header")) == {"/a": "header"}
    assert clocks(choose({"/a": stamps(regular())}, "log")) == {"/a": "log"}


def test_a_topic_without_stamps_has_log_time_and_no_remark() -> None:
    chosen = choose({"/a": stamps(regular()), "/flag": stamps([None] * 4)}, "header")
    assert clocks(chosen) == {"/a": "header", "/flag": "log"}
    (finding,) = clock_findings({"/a": stamps(regular(), 90 * MS), "/flag": stamps([None] * 4)}, chosen, tell)
    assert (finding.check, finding.value, finding.threshold) == ("clock_skew", 90.0, 50.0)
    assert "/flag have only log time" in finding.message


@pytest.mark.parametrize(
    ("header_ns", "check", "value"),
    [
        ([*regular()[:5], 0, *regular()[6:]], "header_stamp_zero", 1),
        ([*regular()[:5], regular()[3], *regular()[6:]], "header_stamp_backwards", 50.0),
    ],
)
def test_stamps_that_are_zero_or_go_back_are_not_used(header_ns: list[int], check: str, value: float) -> None:
    topics = {"/a": stamps(header_ns), "/b": stamps(regular())}
    chosen = choose(topics, "header")
    assert clocks(chosen) == {"/a": "log", "/b": "header"}
    (finding,) = clock_findings(topics, chosen, tell)
    assert (finding.check, finding.value) == (check, value)


def test_a_camera_that_stamps_with_its_own_uptime_is_on_log_time() -> None:
    topics = {"/a": stamps(regular()), "/b": stamps(regular()), "/camera": stamps([t - NOW + 7 for t in regular()])}
    chosen = choose(topics, "header")
    assert clocks(chosen) == {"/a": "header", "/b": "header", "/camera": "log"}
    assert chosen["/camera"].check == "header_clock_differs"


def test_a_robot_whose_clock_is_an_hour_off_is_on_one_clock_all_the_same() -> None:
    hour = 3600 * S
    topics = {"/a": stamps(regular(hour)), "/b": stamps(regular(hour))}
    assert clocks(choose(topics, "header")) == {"/a": "header", "/b": "header"}
    with_flag = {**topics, "/flag": stamps([None] * 4)}
    assert clocks(choose(with_flag, "header")) == {"/a": "log", "/b": "log", "/flag": "log"}


def test_messages_stamped_no_later_than_one_before_do_not_count() -> None:
    times_ns = np.array([1, 2, 2, 5, 4, 6])
    assert in_order(times_ns).tolist() == [True, True, False, True, False, True]
    assert in_order(np.zeros(0, np.int64)).tolist() == []
    (finding,) = rate_findings("/a", np.array([1, 2, 2]) * S, tell)
    assert (finding.check, finding.value, finding.threshold) == ("message_out_of_order", 1, 0)


def test_one_lost_message_is_a_gap() -> None:
    times_ns = np.delete(np.arange(20) * 50 * MS, 7)
    (finding,) = rate_findings("/a", times_ns, tell)
    assert (finding.check, finding.value, finding.threshold) == ("topic_gap", 100.0, 87.5)
    assert "1 gaps, in which about 1 messages would have come" in finding.message
    assert "0.300 s after the first message" in finding.message


def test_a_regular_topic_is_not_told() -> None:
    assert list(rate_findings("/a", np.arange(20) * 50 * MS + np.arange(20) % 2 * 2 * MS, tell)) == []


def test_jitter_is_told_as_a_share_of_the_usual_interval() -> None:
    (finding,) = rate_findings("/a", np.arange(20) * 50 * MS + np.arange(20) % 2 * 15 * MS, tell)
    assert finding.check == "topic_jitter"
    assert finding.value == pytest.approx(30 / 65)
    assert finding.threshold == 0.25


def test_times_are_exact_nanoseconds() -> None:
    made = stamps([NOW + 1, NOW + 2])
    assert times_of(made, "header").tolist() == [NOW + 1, NOW + 2]
    assert times_of(made, "header").dtype == np.int64
