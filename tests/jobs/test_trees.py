"""``joinery verify`` on event trees: a run's own are in order, and every kind of damage is named with its place."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.river import RIVER
from jobs.run import RunResult
from jobs.trees import TreesReport, verify_trees
from pipeline.attempt import Attempt, AttemptWriter
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.event import Event, Level
from schemas.recipe_file import LoadedRecipe
from schemas.run import WorkDone

Reference = tuple[RunResult, LoadedRecipe]
Spoil = Callable[[list[Event]], list[Event]]


def report(workspace: Workspace, loaded: LoadedRecipe) -> TreesReport:
    ledger = Ledger(workspace, loaded.recipe, RIVER)
    ledger.refresh_all()
    return verify_trees(workspace, ledger, loaded.recipe.caption.by)


def written_again(workspace: Workspace, loaded: LoadedRecipe, stage: str, spoil: Spoil, key: str | None) -> str:
    """Commit another attempt at the first tree of a stage; under its own work key unless another is given."""
    ledger = Ledger(workspace, loaded.recipe, RIVER)
    ledger.refresh_all()
    done = dict(ledger.done_attempts(stage))
    item = min(item for item, attempt in done.items() if workspace.read(Event, [attempt])[attempt])
    (row,) = workspace.rows(WorkDone, f"attempt = '{done[item]}' AND item = '{item}' AND stage = '{stage}'")
    key = key or row.work_key
    # attempts are compared as text: this one sorts before any real one, so that it is the one that counts
    made = replace(row, work_key=key, attempt="!spoilt", output_key=row.output_key if key == row.work_key else key)
    writer = AttemptWriter(workspace)
    writer.add(spoil(workspace.read(Event, [row.attempt])[row.attempt]), key, made.attempt)
    workspace.commit([Attempt(writer.finish(), (made,), ())])
    return item


@pytest.fixture
def copied(reference: Reference, tmp_path: Path) -> Workspace:
    return Workspace.open(str(shutil.copytree(reference[1].recipe.workspace.url, tmp_path / "workspace")))


def test_every_tree_of_a_run_is_in_order(reference: Reference) -> None:
    spec = reference[1].recipe.workspace
    found = report(Workspace.existing(spec.url, spec.storage), reference[1])
    assert found.problems == ()
    assert found.n_trees > 10
    assert found.n_events > 100


def without_a_segment(tree: list[Event]) -> list[Event]:
    lost = next(event for event in tree if event.level is Level.SEGMENT)
    return [event for event in tree if event is not lost]


def moved(tree: list[Event]) -> list[Event]:
    return [replace(event, start=replace(event.start, confidence=0.123)) for event in tree]


def orphaned(tree: list[Event]) -> list[Event]:
    return [replace(event, parent_id="ev-none") if event.level is Level.ACTION else event for event in tree]


@pytest.mark.parametrize(
    ("stage", "spoil", "said"),
    [
        ("caption", without_a_segment, "lost by the captioner"),
        ("caption", moved, "lies elsewhere"),
        ("segment", without_a_segment, "segment: covers"),
        ("segment", orphaned, "its parent is not an event one level up"),
    ],
)
def test_a_spoilt_tree_of_this_recipe_is_named(
    copied: Workspace, reference: Reference, stage: str, spoil: Spoil, said: str
) -> None:
    item = written_again(copied, reference[1], stage, spoil, None)
    found = report(copied, reference[1]).problems
    assert any(problem.startswith(f"{stage}, {item}: ") and said in problem for problem in found), found


def test_a_spoilt_tree_of_an_earlier_recipe_is_named_too(copied: Workspace, reference: Reference) -> None:
    item = written_again(copied, reference[1], "segment", without_a_segment, "an earlier key")
    assert any(
        problem.startswith(f"segment, {item}: segment: covers") for problem in report(copied, reference[1]).problems
    )
