"""One backup of a workspace: what its header says, and a line of its list of files."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from schemas.recipe_section import Section, Text

BACKUPS = "backups"
"""Headers, below the root of the place where backups are kept."""
OBJECTS = "objects"
"""Contents, each once, under their SHA-256."""


class Backup(Section):
    """``backups/<name>.json``; written last, so that a backup without one was never finished."""

    format: Literal[1] = 1
    name: Text = Field(description="When it was made, and the beginning of its list's digest.")
    workspace: Text = Field(description="Where the workspace was.")
    joinery: Text = Field(description="The version that made it.")
    files: Text = Field(description="SHA-256 of the list of files (Parquet, an object like any other).")
    n_files: int
    n_bytes: int
    tables: dict[str, int] = Field(description="The version of each table that it holds.")


@dataclass(frozen=True)
class BackupFile:
    """One file of a backup."""

    path: str
    """Below the workspace."""
    n_bytes: int
    mtime_ns: int
    """In the workspace: a file that looks the same next time is not read again."""
    sha256: str
