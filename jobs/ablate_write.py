"""What ``joinery ablate`` leaves in its folder: rows, summary and page, made anew from the cells every time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from jobs.ablate import Done, rows_of
from jobs.ablate_arms import BASE
from jobs.ablate_page import ablation_page
from jobs.ablate_summary import ArmSummary, Row, difference, not_worse, summarise
from schemas.arrow import to_table
from schemas.recipe_ablate import AblateSpec

ROWS, SUMMARY, PAGE = "episodes.parquet", "summary.json", "index.html"
_T19 = ("windows=chunk_majority", "windows=chunk_global")


def write_ablation(spec: AblateSpec, found: Sequence[Done], out: Path, shard_set: str) -> list[ArmSummary]:
    """Write the three files. Raises ValueError for arms that were judged on different scenes."""
    rows = rows_of(found)
    summaries = summarise(rows, spec.resamples)
    pq.write_table(to_table(Row, rows), out / ROWS)
    said = {
        "shard_set": shard_set,
        "settings": spec.model_dump(mode="json", exclude={"shards"}),
        "how": "pairs of the same seed and scene; bootstrap over seeds, and inside each over its episodes",
        "cells": [{"arm": done.cell.arm.name, "seed": done.cell.seed, **asdict(done.trained)} for done in found],
        "arms": [asdict(each) for each in summaries],
        "t19": t19_of(rows, spec.resamples),
    }
    (out / SUMMARY).write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / PAGE).write_text(ablation_page(spec, found, summaries, shard_set), encoding="utf-8")
    return summaries


def t19_of(rows: Sequence[Row], resamples: int) -> dict[str, Any]:
    """Base less chunks, where the base is event windows and chunks were judged too (trainer.md, T19)."""
    there = {row.arm for row in rows}
    told: dict[str, Any] = {}
    for name in _T19:
        if name in there:
            found = difference(rows, BASE, name, resamples)
            told[f"base less {name}"] = asdict(found) | {"not_worse_by_5": not_worse(found)}
    return told
