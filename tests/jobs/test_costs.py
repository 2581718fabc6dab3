"""The ledger of calls adds up: per run, per source, and for every hour of video that anybody asked about."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from jobs import show_costs
from jobs.costs import Costs, costs
from pipeline.attempt import Attempt, AttemptWriter
from pipeline.store import Workspace
from schemas.episode import Alignment, KeptRange, SyncVerdict
from schemas.model_call import CallOutcome, ModelCall
from schemas.run import WorkDone
from schemas.source import EpisodeRef, SourceKind
from schemas.time import NS_PER_S

HOUR_NS = 3600 * NS_PER_S


def call(run: str, item: str, outcome: CallOutcome, tokens: int = 0, attempts: int = 1) -> ModelCall:
    spent = outcome in (CallOutcome.ANSWERED, CallOutcome.TRUNCATED)
    return ModelCall(run, item, "tree", "w", "m@1", "k", outcome, tokens, tokens // 10, attempts if spent else 0, 1.0)


CALLS = [
    call("run-1", "ep-a", CallOutcome.ANSWERED, 1000),
    call("run-1", "ep-a", CallOutcome.TRUNCATED, 500, attempts=3),
    call("run-1", "ep-b", CallOutcome.UNANSWERED),
    call("run-1", "ep-c", CallOutcome.REFUSED),
    call("run-2", "ep-a", CallOutcome.CACHED),
    call("run-2", "ep-b", CallOutcome.ANSWERED, 200),
]
HOURS = {"ep-a": 0.5, "ep-b": 0.25, "ep-c": 1.0, "ep-never-asked": 100.0}
SOURCES = {"ep-a": "arms", "ep-b": "arms", "ep-never-asked": "arms"}


def ref(item: str, source: str) -> EpisodeRef:
    return EpisodeRef(item, source, SourceKind.TELEOP, "d", "e", "l", "r", (), "{}", "f")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Costs:
    workspace = Workspace.open(str(tmp_path_factory.mktemp("workspace")))
    workspace.append(EpisodeRef, [ref(item, source) for item, source in [*SOURCES.items(), ("ep-a", "arms, again")]])
    writer = AttemptWriter(workspace)
    done = []
    for item, hours in HOURS.items():
        halves = tuple(KeptRange(start, start + int(hours * HOUR_NS / 2)) for start in (0, 1000 * HOUR_NS))
        writer.add([Alignment(item, SyncVerdict.CONFIRMED, 0, 1.0, 1.0, halves)], f"key-{item}", f"try-{item}")
        done.append(WorkDone(f"key-{item}", "align", item, f"try-{item}", "", "run-1", 0.1))
    workspace.commit([Attempt(writer.finish(), tuple(done), (), calls=tuple(CALLS))])
    aligned = workspace.read(Alignment, [each.attempt for each in done])
    return costs(workspace, [alignment for alignments in aligned.values() for alignment in alignments])


def test_a_run_is_what_was_asked_in_it(found: Costs) -> None:
    first, second = found.runs
    assert (first.name, first.calls, first.cached, first.without_answer, first.repeated) == ("run-1", 2, 0, 2, 2)
    assert (first.prompt_tokens, first.completion_tokens, first.tokens) == (1500, 150, 1650)
    assert (second.name, second.calls, second.cached, second.tokens) == ("run-2", 1, 1, 220)


def test_video_counts_once_however_often_it_was_asked_about(found: Costs) -> None:
    first, second = found.runs
    assert first.video_hours == pytest.approx(1.75)
    assert second.video_hours == pytest.approx(0.75)
    assert first.per_hour(first.tokens) == pytest.approx(1650 / 1.75)


def test_a_source_is_what_all_runs_spent_on_it(found: Costs) -> None:
    unlisted, arms = found.sources
    assert (arms.name, arms.calls, arms.tokens) == ("arms", 3, 1870)
    assert arms.video_hours == pytest.approx(0.75), "an episode nobody asked about has no part in it"
    assert (unlisted.name, unlisted.calls, unlisted.without_answer) == ("", 0, 1)


def test_where_no_model_was_asked_nothing_is_said(tmp_path: Path) -> None:
    nothing = costs(Workspace.open(str(tmp_path)), [])
    assert nothing == Costs((), ())
    assert printed(nothing, "run-1") == ""


def printed(found: Costs, run_id: str) -> str:
    out = Console(file=io.StringIO(), width=200)
    show_costs.costs(out, found)
    show_costs.run_costs(out, found, run_id)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_what_is_printed_are_these_figures(found: Costs) -> None:
    lines = [line.split() for line in printed(found, "run-1").splitlines()]
    assert ["arms", "3", "1", "1", "2", "1,700", "170", "0.75", "4", "2,493"] in lines
    assert ["run-1", "2", "0", "2", "2", "1,500", "150", "1.75", "1", "943"] in lines
    last = printed(found, "run-1").splitlines()[-1]
    assert last == "models:  2 calls, 1,650 tokens (943 per hour of video); none was known, 2 without an answer"
