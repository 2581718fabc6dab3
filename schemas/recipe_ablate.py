"""An ablation: which ways of making training windows are compared, on what, and how they are judged (docs/ablate.md).

A file of its own beside recipes: it names a shard set and trains on it many times, alike in everything but one factor.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from schemas.recipe_load import Caption
from schemas.recipe_problems import validated
from schemas.recipe_section import Count, Fraction, Name, Positive, Section, Text, impossible
from schemas.recipe_text import parse

Windows = Literal["event_suffix", "event", "suffix", "chunk_majority", "chunk_global"]
LEAST_SEEDS = 3
RecoveryShare = Fraction | None
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Factors(Section):
    """Levels of every factor; the first of each is the base, all others are compared with it one at a time."""

    windows: tuple[Windows, ...] = Field(
        default=("event_suffix", "event", "suffix", "chunk_majority", "chunk_global"),
        description="Whole events and their ends, either alone, or chunks of fixed length under two captions.",
    )
    cells: tuple[Literal["planned", "natural"], ...] = Field(
        default=("planned", "natural"), description="Shares of cells: balanced as published, or as events occur."
    )
    jitter_frames: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=(0, 2, 5, 10), description="By how many frames boundaries are moved at most."
    )
    caption: tuple[Caption, ...] = Field(
        default=("own", "task", "subtask", "segment"), description="The level of a window's words."
    )
    recovery_share: tuple[RecoveryShare, ...] = Field(
        default=(None, 0.0, 0.5), description="Share of draws that are recoveries; null: as the cells have it."
    )

    @model_validator(mode="after")
    def _is_an_order(self) -> "Factors":
        for name, levels in self.levels():
            if not levels:
                raise impossible(name, "found no level, expected at least one: the base")
            if len(set(levels)) < len(levels):
                raise impossible(name, f"found a level twice in {list(levels)}")
        return self

    def levels(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Factor and its levels, in order."""
        for name in type(self).model_fields:
            yield name, getattr(self, name)


class Judged(Section):
    """How a trained model is let loose."""

    simulator: Text = Field(
        default="demo:self_collected", description="Task, as `joinery evaluate --simulator` names it."
    )
    episodes: Count = Field(default=34, description="Scenes per seed, the same for every arm.")
    limit_s: Positive = Field(default=20.0, description="Simulated seconds an episode lasts at most.")
    seed: Seed = Field(default=0, description="Another seed: other scenes, for every arm alike.")


class AblateSpec(Section):
    """The whole file."""

    ablate: Literal[1] = Field(description="Version of the file.")
    shards: Text = Field(description="A recipe, or the folder of a shard set; relative to the file.")
    config: Name = Field(default="tiny", description="Configuration all arms train, of `joinery train`.")
    seeds: tuple[Seed, ...] = Field(
        default=(0, 2, 4), description="Of weights, windows and noise, the same for every arm; three or more."
    )
    tokens: Count = Field(default=240_000, description="Tokens every arm trains on, counted from its load plan.")
    chunk_frames: Count = Field(default=33, description="Length of chunks, in training and when judged.")
    factors: Factors = Field(default_factory=Factors)
    judged: Judged = Field(default_factory=Judged)
    resamples: Count = Field(default=10_000, description="Of the bootstrap.")

    @model_validator(mode="after")
    def _says_something(self) -> "AblateSpec":
        if len(set(self.seeds)) < LEAST_SEEDS:
            found = f"found {len(set(self.seeds))} different seeds, expected {LEAST_SEEDS} or more"
            raise impossible("seeds", f"{found}: one run says nothing about runs")
        return self


class AblateErrors(Exception):  # noqa: N818 - many errors in one, as the name says
    """Everything that is wrong with an ablation's file; ``problems`` holds one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def read_ablation(path: Path) -> AblateSpec:
    """The ablation in a file, its paths absolute. Raises AblateErrors: ``file:line: key: found …, expected …``."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AblateErrors([f"{path}: cannot be read: {error}; expected YAML in UTF-8"]) from error
    document = parse(text, str(path), what="an ablation with at least the keys 'ablate' and 'shards'")
    if document.data is None:
        raise AblateErrors([document.sentence(problem) for problem in document.problems])
    spec, problems = validated(document.data, AblateSpec)
    problems = [*document.problems, *problems]
    if spec is None or problems:
        raise AblateErrors([document.sentence(problem) for problem in sorted(problems, key=document.order)])
    return spec.model_copy(update={"shards": _absolute(spec.shards, path.absolute().parent)})


def _absolute(named: str, folder: Path) -> str:
    return named if "://" in named else str((folder / named).resolve())
