"""What people and machines see of a run in progress."""

import io
import json

import pytest
from rich.console import Console

from jobs.progress import JsonReporter, LineReporter, LiveReporter, StageProgress, duration, progress_table


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (245, "4 m 05 s"), (3600, "1 h 00 m"), (12000, "3 h 20 m")]
)
def test_durations_read_naturally(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_what_is_left_never_goes_below_zero() -> None:
    assert StageProgress("s", total=3, cached=1, done=1).left == 1
    assert StageProgress("s", total=3, cached=3, quarantined=1).left == 0


def test_the_rate_counts_this_run_only() -> None:
    line = StageProgress("s", total=100, cached=90, done=10, seconds=5.0)
    assert line.rate == 2.0
    assert StageProgress("s", total=5, cached=5, seconds=1.0).eta_s is None


def test_a_log_gets_one_line_per_finished_stage() -> None:
    lines: list[str] = []
    reporter = LineReporter(lines.append)
    reporter.update(StageProgress("ingest", total=4, done=1, running=True))
    reporter.update(StageProgress("ingest", total=4, done=3, quarantined=1, seconds=2.0))
    assert len(lines) == 1
    assert "3 done" in lines[0]
    assert "1 quarantined" in lines[0]


def test_machines_get_one_object_per_change() -> None:
    stream = io.StringIO()
    JsonReporter(stream).update(StageProgress("cut", total=2, done=1, running=True))
    event = json.loads(stream.getvalue())
    assert event["stage"] == "cut"
    assert event["running"] is True


def test_a_terminal_shows_every_stage_with_rate_and_eta() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    reporter = LiveReporter(console)
    reporter.update(StageProgress("ingest", total=4, done=4, seconds=2.0))
    reporter.update(StageProgress("align", total=4, done=1, running=True))
    reporter.close()
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "ingest" in shown
    assert "2.0/s" in shown
    console.print(progress_table([]))
