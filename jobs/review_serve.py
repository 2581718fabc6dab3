"""``joinery review serve``: a run's episodes under review, and the app in which people look at them."""

from __future__ import annotations

import getpass
import socket
import webbrowser
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from rich.console import Console

from annotators.review.accounts import NAME
from annotators.review.agenda import AgendaSpec
from annotators.review.folder import ReviewFolder
from annotators.review.review import Access, Mode, Review, TakenIn
from annotators.review.server import create_app
from annotators.review.serving import bound, serve
from annotators.review.token import kept_token
from jobs.local_host import is_local_host
from jobs.review import Wanted, imported, sources
from jobs.review_accounts import listed
from jobs.review_agreement import agreement_report
from jobs.review_folder import review_folder
from jobs.review_search import search_of
from jobs.river import RIVER
from pipeline.errors import JoineryError
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.recipe import Recipe


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
    names: tuple[str, ...] = ()
    """Host names by which people reach a server with accounts."""
    agenda: AgendaSpec | None = None


def serve_reviews(recipe: Recipe, serving: Serving, out: Console) -> None:
    """Import what is new, then answer until interrupted. Raises JoineryError for what cannot be served."""
    folder = ReviewFolder(review_folder(recipe, serving.folder))
    workspace = Workspace.existing(recipe.workspace.url, recipe.workspace.storage)
    ledger = Ledger(workspace, recipe, RIVER)
    ledger.refresh_all()
    with folder.held(), closing(bound(serving.host, serving.port)) as where:
        access = _access(folder, serving)
        lock = Lock()

        def agreement() -> dict[str, Any]:
            with lock:
                return agreement_report(workspace, ledger, folder.root).dumped()

        review = Review(
            folder,
            access,
            source_of=sources(workspace, ledger, recipe),
            search=search_of(workspace, ledger, lock),
            agreement=agreement,
        )
        with closing(review):
            taken = review.take_in(imported(workspace, ledger, recipe, Wanted(serving.episodes)), serving.agenda)
            for reason in taken.refused:
                out.print(reason, style="yellow", markup=False, highlight=False, soft_wrap=True)
            told = f"{taken.new} of them new, {taken.followed} follow a newer run"
            out.print(f"{len(review.items())} episodes under review, {told}, in {folder.root}", soft_wrap=True)
            review.start()
            url = f"http://{_called(serving.host)}:{where.getsockname()[1]}/"
            if access.token:
                url += f"?token={access.token}"

            def started() -> None:
                out.print(f"open {url}", soft_wrap=True, markup=False, highlight=False)
                if serving.open_page:
                    webbrowser.open(url)

            serve(create_app(review), where, started)


def import_reviews(recipe: Recipe, folder: Path | None, episodes: tuple[str, ...], spec: AgendaSpec | None) -> TakenIn:
    """Take the episodes of a run under review without serving them."""
    parts = ReviewFolder(review_folder(recipe, folder))
    workspace = Workspace.existing(recipe.workspace.url, recipe.workspace.storage)
    ledger = Ledger(workspace, recipe, RIVER)
    ledger.refresh_all()
    with parts.held(), closing(Review(parts, Access(Mode.SINGLE))) as review:
        return review.take_in(imported(workspace, ledger, recipe, Wanted(episodes)), spec)


def _access(folder: ReviewFolder, serving: Serving) -> Access:
    """Accounts where there are any, else one person on this machine."""
    if folder.database.is_file() and listed(folder.root):
        if serving.actor:
            raise JoineryError("--as: found accounts in this folder, so people log in; leave it out")
        names = {"127.0.0.1", "localhost", "[::1]", socket.gethostname().lower(), serving.host.lower(), *serving.names}
        return Access(Mode.ACCOUNTS, hosts=frozenset(names), any_address=True)
    actor = serving.actor or getpass.getuser()
    if not NAME.fullmatch(actor):
        raise JoineryError(f"--as {actor!r}: expected letters, digits, dots, dashes and underscores, at most 64")
    if not is_local_host(serving.host):
        raise JoineryError(
            f"--host {serving.host}: found an address that others reach, and no accounts; make some with "
            "`joinery review users add`"
        )
    return Access(Mode.SINGLE, actor, kept_token(folder))


def _called(host: str) -> str:
    """As an address wants it."""
    return f"[{host}]" if ":" in host else host
