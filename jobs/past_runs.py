"""The runs of a workspace in the order in which they began, as the table tells it and not as clocks do.

Machines disagree about the time, and one whose clock is set back begins a run "before" the last. A table's rows stand
in the order of their commits, on which everybody agrees.
"""

from collections.abc import Collection

from pipeline.store import Workspace
from schemas.run import Run


def past_runs(workspace: Workspace) -> list[Run]:
    """Every run once, in its latest state, newest first. A run without an end was killed or is still going."""
    by_id: dict[str, Run] = {}
    for run in workspace.rows(Run):
        if run.finished_at or run.run_id not in by_id:
            by_id[run.run_id] = run
    return list(by_id.values())[::-1]


def newest_of(workspace: Workspace, run_ids: Collection[str]) -> str:
    """The one of these runs that began last; empty when there are none."""
    known = [run.run_id for run in past_runs(workspace) if run.run_id in run_ids]
    return known[0] if known else max(run_ids, default="")
