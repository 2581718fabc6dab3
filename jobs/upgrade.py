"""``joinery upgrade``: what another version of Joinery wrote, carried over (`pipeline.upkeep.upgrade`)."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.at_work import Deed, at_work
from pipeline.store import Workspace
from pipeline.upkeep import upgrade as upkeep
from pipeline.upkeep.upgrade import Step, steps


@dataclass(frozen=True)
class Upgraded:
    """What was done, or would be."""

    steps: tuple[Step, ...]
    n_anew: int
    """Results that the next run makes anew."""
    dry_run: bool

    @property
    def impossible(self) -> bool:
        return any(step.deed is upkeep.Deed.IMPOSSIBLE for step in self.steps)


def upgrade_workspace(workspace: Workspace, *, dry_run: bool = False) -> Upgraded:
    """Carry a workspace over. Raises StoreError while somebody is at work in it, or when a table cannot be."""
    if dry_run:
        wanted = tuple(steps(workspace))
        return Upgraded(wanted, upkeep.n_anew(workspace, wanted), dry_run=True)
    with at_work(workspace.blobs, Deed.UPGRADE):
        wanted = tuple(steps(workspace))
        return Upgraded(wanted, upkeep.upgrade(workspace, wanted), dry_run=False)
