"""What a card says, before it is Markdown or HTML: sections of few kinds of blocks, so that both say the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Cells: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Prose:
    """A paragraph. Backticks mark code, here and in every other text of a block."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Cells


@dataclass(frozen=True)
class Terms:
    """Names and what is said of each."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """Columns with a heading each; those of numbers end on ``#``, which is not shown."""

    columns: Cells
    rows: tuple[Cells, ...]

    @property
    def headings(self) -> Cells:
        return tuple(column.removesuffix("#") for column in self.columns)

    @property
    def numeric(self) -> tuple[bool, ...]:
        return tuple(column.endswith("#") for column in self.columns)


@dataclass(frozen=True)
class Bars:
    """Parts of a whole, drawn where that is possible: label, how many, and the same in words."""

    label: str
    rows: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True)
class Code:
    """A listing."""

    language: str
    text: str


Block: TypeAlias = Prose | Bullets | Terms | Table | Bars | Code


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Figure:
    """One of the few numbers that stand at the top."""

    value: str
    what: str


@dataclass(frozen=True)
class Card:
    """The whole card."""

    title: str
    lead: str
    figures: tuple[Figure, ...]
    sections: tuple[Section, ...]


def table(columns: str, rows: Sequence[Sequence[str]]) -> Table:
    """A table whose columns are written as one line, ``name | n# | …``."""
    headings = tuple(column.strip() for column in columns.split("|"))
    return Table(headings, tuple(tuple(row) for row in rows))
