"""Recordings made by one's own recorder, in a recipe; they say everything else themselves."""

from typing import Literal

from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class SelfCollectedSource(SourceSection):
    """A tree of folders with a ``recording.json`` each (docs/self_collected.md)."""

    format: Literal["self_collected"]
    kind: SourceKind = SourceKind.SELF_COLLECTED
