"""Collection plans in the workspace lose the contacts of an episode, with their demonstrations and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import JoineryError
from pipeline.recovery.folder import load_plan, write
from pipeline.recovery.page import plan_page
from schemas.recovery_plan import PAGE, PLAN


def forget_in_plans(root: Path, episode_ids: Sequence[str]) -> int:
    """Rewrite every plan below a folder; how many contacts were removed. The plan's own file goes last."""
    removed = 0
    for file in sorted(root.rglob(PLAN)):
        if b'"joinery_recovery_plan"' not in file.read_bytes():
            continue
        try:
            plan, folder = load_plan(file)
        except JoineryError:  # not one of this version: the search that follows says whether it names anything
            continue
        gone = [event for event in plan.events if event.episode_id in episode_ids]
        if not gone:
            continue
        for event in gone:
            for name in filter(None, (event.demonstration, event.picture)):
                (folder / name).unlink(missing_ok=True)
        kept = [event for event in plan.events if event.episode_id not in episode_ids]
        less = plan.model_copy(update={"events": kept, "n_contacts": plan.n_contacts - len(gone)})
        write(folder / PAGE, plan_page(less).encode())
        write(folder / PLAN, (less.model_dump_json(indent=1) + "\n").encode())
        removed += len(gone)
    return removed
