"""A run whose events are under review: what `joinery review import` makes, and people who say things."""

import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from annotators.review.from_tree import document_of
from annotators.review.operation import Operation
from annotators.review.store import ReviewStore, Submission
from jobs.review_folder import FILE
from jobs.river import RIVER
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.episode import Episode
from schemas.event import Event
from schemas.recipe_file import LoadedRecipe, load_recipe
from tests.jobs.conftest import BUDGET, write_recipe

INLINE = [BUDGET, "run.executor=inline", "cluster.refit=never"]
MEDIA = "sha"


@dataclass(frozen=True)
class Reviewed:
    """A workspace of its own, and its review folder."""

    recipe: Path
    folder: Path

    def load(self, *overrides: str) -> LoadedRecipe:
        return load_recipe(self.recipe, [*INLINE, *overrides])

    def opened(self, *overrides: str) -> tuple[Workspace, Ledger]:
        recipe = self.load(*overrides).recipe
        workspace = Workspace.existing(recipe.workspace.url)
        ledger = Ledger(workspace, recipe, RIVER)
        ledger.refresh_all()
        return workspace, ledger

    def store(self) -> ReviewStore:
        return ReviewStore(self.folder / FILE)

    def says(self, episode_id: str, *operations: Operation, actor: str = "ann") -> None:
        with closing(self.store()) as store:
            for operation in operations:
                rev, name = store.document(episode_id)[0], f"op-{store.n_entries()}"
                store.submit(Submission(name, episode_id, rev, actor, operation, MEDIA))

    def events(self, episode_id: str, *overrides: str) -> list[Event]:
        _, ledger = self.opened(*overrides)
        return [event for event in ledger.present(Event, "caption") if event.episode_id == episode_id]


def under_review(reference: LoadedRecipe, corpus: Path, folder: Path, *, copies: tuple[str, ...] = ()) -> Reviewed:
    """A copy of a finished run with every episode of it under review, and copies for raters."""
    shutil.copytree(reference.recipe.workspace.url, folder / "workspace")
    recipe = write_recipe(folder / "demo.yaml", corpus, folder / "workspace")
    reviewed = Reviewed(recipe, folder / "workspace" / "review")
    reviewed.folder.mkdir()
    _, ledger = reviewed.opened()
    trees: dict[str, list[Event]] = {}
    for event in ledger.present(Event, "caption"):
        trees.setdefault(event.episode_id, []).append(event)
    with closing(reviewed.store()) as store:
        for episode in ledger.present(Episode, "ingest"):
            if episode.episode_id in trees:
                n_frames, tree = episode.master.n_frames, trees[episode.episode_id]
                store.add(document_of(episode.episode_id, n_frames, tree), MEDIA)
    return reviewed
