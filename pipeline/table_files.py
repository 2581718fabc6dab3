"""Of which files a table is made, version by version: for those who copy them or remove what no version needs.

How Lance lays its folder out is known here and nowhere else (Lance 14, file format 2).
"""

from __future__ import annotations

from pipeline.errors import StoreError
from pipeline.store import Workspace

_NEWEST_FIRST = 2**64 - 1
"""Lance names a version's manifest by what is left to this number, so that a listing has the newest first."""


def versions(workspace: Workspace, name: str) -> list[int]:
    """The versions of a table that can be opened; the newest last."""
    return sorted(int(ref["version"]) for ref in workspace.table(name).version_refs())


def newest(workspace: Workspace, name: str) -> int:
    """The version a table has now."""
    return int(workspace.table(name).version)


def pinned(workspace: Workspace, name: str) -> set[int]:
    """Versions that somebody gave a name with Lance's own tags; Joinery never does."""
    return {int(tag["version"]) for tag in workspace.table(name).tags.list().values()}


def n_rows(workspace: Workspace, name: str) -> int:
    """How many rows a table has."""
    return int(workspace.table(name).count_rows())


def manifest_names(name: str, version: int) -> tuple[str, str]:
    """What the manifest of a version may be called."""
    folder = f"tables/{name}.lance/_versions"
    return f"{folder}/{_NEWEST_FIRST - version}.manifest", f"{folder}/{version}.manifest"


def files_of(workspace: Workspace, name: str, version: int) -> list[str]:
    """Files below the workspace that one version of a table is made of, its manifest by both names.

    Raises StoreError when that version cannot be opened.
    """
    try:
        table = workspace.table(name, version)
        written = table.read_transaction(version)
        fragments = [fragment.metadata for fragment in table.get_fragments()]
    except (OSError, ValueError) as error:
        raise StoreError(f"{workspace.url}: table {name}, version {version}: cannot be opened ({error})") from error
    parts = [] if written is None else [f"_transactions/{written.read_version}-{written.uuid}.txn"]
    for fragment in fragments:
        parts += [f"data/{file.path}" for file in fragment.files]
        if fragment.deletion_file is not None:
            parts.append(fragment.deletion_file.path(fragment.id))
    return [*manifest_names(name, version), *(f"tables/{name}.lance/{part}" for part in parts)]
