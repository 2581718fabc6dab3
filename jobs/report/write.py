"""``index.html`` and ``report.json``, each written whole or not at all; the same workspace gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.report.page import page
from jobs.report.report import Options, as_json, gather
from jobs.report.tables import Tables
from pipeline.blobs import Blobs
from pipeline.errors import JoineryError
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.recipe import Recipe

PAGE, DATA = "index.html", "report.json"
FOLDER = "report"
"""Below the workspace, unless another folder is named."""


@dataclass(frozen=True)
class Written:
    """Where the report is, and the document it was made from."""

    page: str
    data: str
    n_bytes: int
    text: str
    """Of ``report.json``."""


def write_report(workspace: Workspace, ledger: Ledger, recipe: Recipe, options: Options, out: str | None) -> Written:
    """Make both files; ``out`` is a folder or a URL. Raises JoineryError for a strange review address."""
    if not options.review_url.startswith(("http://", "https://")):
        raise JoineryError(
            f"--review-url {options.review_url}: expected an address that begins with http:// or https://"
        )
    with Tables(workspace, ledger, recipe) as tables:
        report = gather(tables, options)
    shown, text = page(report).encode(), as_json(report)
    folder = out.rstrip("/") if out else f"{workspace.url.rstrip('/')}/{FOLDER}"
    blobs = Blobs(folder, dict(workspace.storage))
    blobs.put_bytes(DATA, text.encode())
    blobs.put_bytes(PAGE, shown)
    return Written(f"{folder}/{PAGE}", f"{folder}/{DATA}", len(shown), text)
