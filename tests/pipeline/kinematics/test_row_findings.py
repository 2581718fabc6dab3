"""Findings about rows: which, how long, what share, and never pages of them."""

import numpy as np

from pipeline.kinematics.row_findings import row_findings
from schemas.finding import Finding
from tests.pipeline.kinematics.robots import joint_track
from tests.pipeline.sources.one_episode import REF


def findings(rows: list[int], n: int = 20) -> list[Finding]:
    mask = np.isin(np.arange(n), rows)
    told = row_findings(REF, joint_track(np.zeros((n, 1))), mask, "odd", lambda a, b: (f"{a}-{b}", b - a, 0.5))
    return list(told)


def test_a_run_is_told_with_rows_seconds_value_and_share() -> None:
    (finding,) = findings([4, 5, 6])
    assert finding.message == "made, episode_index=3: rows 4 to 6 (0.15 s): 4-7; 3 of 20 rows (15.0%) in 1 stretches"
    assert (finding.value, finding.threshold) == (3.0, 0.5)
    assert (finding.start_ns, finding.end_ns) == (200_000_000, 350_000_000)


def test_a_run_to_the_end_ends_a_row_later() -> None:
    (finding,) = findings([18, 19])
    assert finding.end_ns == 1_000_000_000


def test_nothing_odd_is_nothing_to_tell() -> None:
    assert findings([]) == []


def test_the_longest_runs_are_told_in_order_of_time() -> None:
    told = findings([0, 1, 3, 5, 7, 9, 11, 13, 14, 15])
    assert [finding.start_ns for finding in told] == [0, 150_000_000, 250_000_000, 350_000_000, 650_000_000]
    assert "10 of 20 rows (50.0%) in 7 stretches, the 5 longest are told" in told[0].message


def test_one_row_is_a_run() -> None:
    (finding,) = findings([0], n=1)
    assert (finding.start_ns, finding.end_ns) == (0, 0)
