"""A run's workspace in which one recording's events are other ones: what people said, and what strangers wrote."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from jobs.river import RIVER
from pipeline.attempt import Attempt, AttemptWriter
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.event import Event
from schemas.recipe_file import LoadedRecipe
from schemas.run import WorkDone

FIRST = "0"
"""Of two attempts at one result the smallest name counts; those of real runs are longer."""


def ledger_of(workspace: Workspace, loaded: LoadedRecipe) -> Ledger:
    ledger = Ledger(workspace, loaded.recipe, RIVER)
    ledger.refresh_all()
    return ledger


def retold(
    loaded: LoadedRecipe, folder: Path, change: Callable[[Sequence[Event]], Sequence[Event]]
) -> tuple[Workspace, str]:
    """A copy of a workspace where ``change`` has written the tree with most events anew; and whose it is."""
    shutil.copytree(loaded.recipe.workspace.url, folder)
    workspace = Workspace.existing(str(folder))
    done = ledger_of(workspace, loaded).done_attempts("caption")
    trees = workspace.read(Event, [attempt for _, attempt in done])
    item, attempt = max(done, key=lambda each: (len(trees[each[1]]), each[0]))
    (was,) = [
        row for row in workspace.rows(WorkDone, f"stage = 'caption' AND attempt = '{attempt}'") if row.item == item
    ]
    writer = AttemptWriter(workspace)
    writer.add(list(change(trees[attempt])), was.work_key, FIRST)
    now = WorkDone(was.work_key, was.stage, item, FIRST, was.output_key, was.run_id, was.seconds)
    workspace.commit([Attempt(writer.finish(), (now,), ())])
    return workspace, item
