"""``joinery review serve``: a run's episodes under review, and the app in which people look at them."""

from __future__ import annotations

import getpass
import ipaddress
import re
import webbrowser
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from annotators.review.folder import ReviewFolder
from annotators.review.review import Access, Mode, Review
from annotators.review.server import create_app
from annotators.review.serving import bound, serve
from annotators.review.token import kept_token
from jobs.review import Wanted, imported, sources
from jobs.review_folder import review_folder
from jobs.river import RIVER
from pipeline.errors import JoineryError
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.recipe import Recipe

_ACTOR = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True)
class Serving:
    """What the command line says."""

    host: str
    port: int
    actor: str
    """Empty: the system's user."""
    episodes: tuple[str, ...]
    folder: Path | None
    open_page: bool


def serve_reviews(recipe: Recipe, serving: Serving, out: Console) -> None:
    """Import what is new, then answer until interrupted. Raises JoineryError for what cannot be served."""
    actor = serving.actor or getpass.getuser()
    if not _ACTOR.fullmatch(actor):
        raise JoineryError(f"--as {actor!r}: expected letters, digits, dots, dashes and underscores, at most 64")
    if not is_local_host(serving.host):
        raise JoineryError(
            f"--host {serving.host}: found an address that others reach, and no accounts; make some with "
            "`joinery review users add`"
        )
    folder = ReviewFolder(review_folder(recipe, serving.folder))
    workspace = Workspace.existing(recipe.workspace.url, recipe.workspace.storage)
    ledger = Ledger(workspace, recipe, RIVER)
    ledger.refresh_all()
    with folder.held(), closing(bound(serving.host, serving.port)) as where:
        access = Access(Mode.SINGLE, actor, kept_token(folder))
        review = Review(folder, access, source_of=sources(workspace, ledger, recipe))
        with closing(review):
            new = review.take_in(imported(workspace, ledger, recipe, Wanted(serving.episodes)))
            items = review.agenda.items()
            out.print(f"{len(items)} episodes under review, {new} of them new, in {folder.root}")
            url = f"http://{serving.host}:{where.getsockname()[1]}/?token={access.token}"
            review.preparer.start(item.episode_id for item in items)

            def started() -> None:
                out.print(f"open {url}", soft_wrap=True)
                if serving.open_page:
                    webbrowser.open(url)

            serve(create_app(review), where, started)


def is_local_host(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
