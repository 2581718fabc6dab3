"""What was taken down and why: one entry of the takedown list, kept so that the recording never comes back.

An entry names the episode by its id, which is a digest of its content: it tells the recording again under any path or
name, and tells nobody what was in it. `joinery forget` writes it before it removes anything.
"""

from typing import Literal

from pydantic import Field

from schemas.identity import digest
from schemas.recipe_section import Section, Text

FOLDER = "forgotten"
"""In the workspace."""


class Proof(Section):
    """What was searched after removal. An entry has one only when nothing was found."""

    terms: dict[str, int] = Field(description="How many of each kind were searched for.")
    n_files: int = Field(description="Without the tables' own bookkeeping, which was searched too.")
    n_bytes: int = Field(description="As they lie there; what containers and compressed columns hold was read as well.")
    n_values: int = Field(description="Bytes of decoded text and binary values: columns, archive members, cells.")
    found: Literal[0] = 0


class Takedown(Section):
    """``forgotten/<digest>.json``."""

    format: Literal[1] = 1
    episode_id: Text
    at: Text = Field(description="UTC, ISO 8601: when it was asked for.")
    reason: str = ""
    videos: list[str] = Field(default=[], description="SHA-256 of videos that were its alone: another way to know it.")
    files: list[str] = Field(default=[], description="The same of its other files.")
    removed: dict[str, int] = Field(
        default={}, description="Rows, blobs and samples that were to be removed, by place."
    )
    shard_sets: dict[str, str] = Field(default={}, description="Sets that held it: the id that was, the id that is.")
    remains: list[str] = Field(default=[], description="What was made with it, cannot be told apart, and so stays.")
    proof: Proof | None = Field(default=None, description="Missing until removal is proven.")

    @property
    def name(self) -> str:
        return takedown_name(self.episode_id)


class Terms(Section):
    """What to search for: everything by which the workspace knows an episode."""

    ids: dict[str, str] = Field(default={}, description="Hex digits of ids and digests (32 or more) and what they are.")
    texts: dict[str, str] = Field(default={}, description="Names that are its alone and what they are.")
    contents: dict[str, str] = Field(default={}, description="SHA-256 of its pictures and clips and what they are.")
    not_searched: list[str] = Field(default=[], description="Names other recordings have too, as sentences.")


class Pending(Section):
    """``forgotten/<digest>.pending.json``: what a takedown that is not proven yet needs to go on after a kill."""

    takedown: Takedown
    terms: Terms
    attempts: list[str] = Field(description="Results that hold it.")
    answers: list[str]
    tars: list[str]


def takedown_name(episode_id: str) -> str:
    """How a takedown is called where the id itself must not stand."""
    return digest("takedown", episode_id)[:32]


def takedown_path(episode_id: str) -> str:
    """Of the entry below the workspace root."""
    return f"{FOLDER}/{takedown_name(episode_id)}.json"


def pending_path(episode_id: str) -> str:
    """Of what an unproven takedown needs."""
    return f"{FOLDER}/{takedown_name(episode_id)}.pending.json"
