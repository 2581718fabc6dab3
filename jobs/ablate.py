"""``joinery ablate``: arms × seeds, each trained on equal tokens and judged on the same scenes, kept when complete.

A cell is one arm at one seed: a load plan, a training run, and a row per episode. It lies in a folder named by the
content of all settings it depends on, so a killed ablation takes up where it was, another token budget trains anew, and
an arm that is added costs only itself. What is judged otherwise is judged again and not trained again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from jobs.ablate_arms import Arm, arms_of, load_of
from jobs.ablate_plan import Equal, compile_equal
from jobs.ablate_summary import Row
from pipeline.errors import JoineryError
from pipeline.loader.names import SET
from pipeline.loader.plan import LoadPlan
from pipeline.loader.reader import shard_set_folder
from schemas.identity import canonical_json, digest
from schemas.recipe_ablate import AblateSpec
from schemas.recipe_section import section_digest
from trainer.checkpoint import newest
from trainer.configs import CONFIGS, TrainConfig
from trainer.run import RunOptions, planned, train

VERSION = 1
"""Goes up when the same settings would give other rows."""
CELLS = "cells"
PLAN, RUN, LEDGER, TRAINED = "plan", "run", "ledger", "trained.json"
_KEY_DIGITS = 16


@dataclass(frozen=True)
class Cell:
    """One arm at one seed."""

    arm: Arm
    seed: int


@dataclass(frozen=True)
class Done:
    """A cell that is complete."""

    cell: Cell
    trained: Equal
    rows: tuple[Row, ...]


class Judge(Protocol):
    """Whoever lets a trained model loose."""

    @property
    def version(self) -> str:
        """Of everything besides the file's ``judged`` section that decides what comes of it."""
        ...

    def rows(self, checkpoint: Path, cell: Cell, spec: AblateSpec) -> Iterator[Row]:
        """One per episode."""
        ...


def cells_of(spec: AblateSpec) -> list[Cell]:
    """Seed by seed, so that an ablation cut short still compares all arms."""
    return [Cell(arm, seed) for seed in dict.fromkeys(spec.seeds) for arm in arms_of(spec)]


def config_of(spec: AblateSpec, seed: int) -> TrainConfig:
    """The configuration at a seed. Raises JoineryError when there is none of this name."""
    if spec.config not in CONFIGS:
        raise JoineryError(f"config {spec.config}: no such configuration; there are {', '.join(sorted(CONFIGS))}")
    return replace(CONFIGS[spec.config](), seed=seed)


def ablate(
    spec: AblateSpec,
    out: Path,
    judge: Judge,
    on_line: Callable[[str], None] = lambda _line: None,
    storage: dict[str, str] | None = None,
) -> list[Done]:
    """Complete every cell below ``out``. Raises JoineryError for what a user can mend."""
    found: list[Done] = []
    cells = cells_of(spec)
    for number, cell in enumerate(cells, 1):
        where = f"{number}/{len(cells)} {cell.arm.name}, seed {cell.seed}"
        folder = out / CELLS / _key(_training(spec, cell, storage))
        if not (folder / TRAINED).is_file():
            on_line(f"{where}: training")
        trained = _trained(spec, cell, folder, storage)
        rows = _judged(spec, cell, folder, judge)
        progress = sum(row.progress for row in rows) / len(rows)
        on_line(
            f"{where}: {trained.steps} steps, {trained.tokens} tokens; progress {progress:.1f} of {len(rows)} episodes"
        )
        found.append(Done(cell, trained, rows))
    return found


def _training(spec: AblateSpec, cell: Cell, storage: dict[str, str] | None) -> dict[str, Any]:
    """All that the weights of a cell depend on."""
    config = config_of(spec, cell.seed)
    shards = json.loads(shard_set_folder(spec.shards, storage).read(SET))["shard_set_id"]
    return {
        "version": VERSION,
        "shards": shards,
        "config": config.digest,
        "load": section_digest(load_of(cell.arm, spec, config)),
        "tokens": spec.tokens,
    }


def _trained(spec: AblateSpec, cell: Cell, folder: Path, storage: dict[str, str] | None) -> Equal:
    """The cell's model, trained unless it is there."""
    record = folder / TRAINED
    if record.is_file():
        return Equal(**json.loads(record.read_text(encoding="utf-8"))["plan"])
    config = config_of(spec, cell.seed)
    equal = compile_equal(spec.shards, folder / PLAN, load_of(cell.arm, spec, config), spec.tokens, storage)
    resume = newest(folder / RUN) is not None
    steps = planned(spec.shards, str(folder / PLAN), config, folder / LEDGER, storage=storage)
    train(steps, config, folder / RUN, RunOptions(resume=resume))
    said = {"arm": cell.arm.name, "seed": cell.seed, "plan": asdict(equal), **_training(spec, cell, storage)}
    _write(record, json.dumps(said, indent=1) + "\n")
    return equal


def _judged(spec: AblateSpec, cell: Cell, folder: Path, judge: Judge) -> tuple[Row, ...]:
    """The cell's rows, judged unless they are there."""
    said: dict[str, Any] = {
        "judged": spec.judged.model_dump(mode="json"),
        "regime": asdict(cell.arm.regime),
        "by": judge.version,
    }
    said |= {"chunk_frames": spec.chunk_frames} if cell.arm.regime.length == "chunk" else {}
    path = folder / f"episodes-{_key(said)}.jsonl"
    if not path.is_file():
        checkpoint = newest(folder / RUN)
        if checkpoint is None:
            raise JoineryError(f"{folder}: its checkpoint is gone; remove {TRAINED} there to train it again")
        lines = [json.dumps(asdict(row)) + "\n" for row in judge.rows(checkpoint, cell, spec)]
        _write(path, "".join(lines))
    rows = [Row(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(replace(row, arm=cell.arm.name) for row in rows)


def _key(said: dict[str, Any]) -> str:
    return digest(canonical_json(said))[:_KEY_DIGITS]


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def plans_of(spec: AblateSpec, out: Path, storage: dict[str, str] | None = None) -> Iterator[tuple[Cell, LoadPlan]]:
    """The plans all cells were trained on, for whoever wants to count again."""
    for cell in cells_of(spec):
        yield cell, LoadPlan.open(str(out / CELLS / _key(_training(spec, cell, storage)) / PLAN))


def rows_of(found: Sequence[Done]) -> list[Row]:
    """Of all cells."""
    return [row for done in found for row in done.rows]
