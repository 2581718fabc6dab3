"""Where a recipe's reviews are: a local folder, beside the workspace unless told otherwise (docs/review.md)."""

from __future__ import annotations

from pathlib import Path

from annotators.review.store import ReviewStore
from pipeline.blobs import is_local
from pipeline.errors import StoreError
from schemas.recipe import Recipe

FOLDER = "review"
FILE = "review.sqlite"


def review_folder(recipe: Recipe, folder: Path | None = None) -> Path:
    """``<workspace>/review`` or the folder named. Raises StoreError for an object store without one.

    SQLite needs a disk of this machine; a network file system breaks its locks without a word.
    """
    if folder is not None:
        return folder
    url = recipe.workspace.url
    if not is_local(url):
        raise StoreError(f"{url}: found an object store, and reviews need a local disk; name a folder with --folder")
    return Path(url) / FOLDER


def existing_reviews(folder: Path) -> ReviewStore:
    """The reviews of a folder. Raises StoreError where there are none, or a newer version or damage made them."""
    path = folder / FILE
    if not path.is_file():
        raise StoreError(f"{path}: found no reviews there; `joinery review import RECIPE` makes them")
    return ReviewStore(path)


def is_copy(review_id: str) -> bool:
    """Whether a document is one rater's copy of an episode, ``<episode>@<rater>``, and not the episode's own."""
    return "@" in review_id


def quarantined(store: ReviewStore) -> dict[str, str]:
    """Episodes that people took out of sight, and why; none in a review file that never had a quarantine."""
    if store.database.row("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'quarantine'") is None:
        return {}
    rows = store.database.rows("SELECT episode_id, reason FROM quarantine")
    return {row["episode_id"]: row["reason"] or "no reason given" for row in rows}
