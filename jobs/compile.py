"""``joinery compile``: a load plan from a published shard set, or more of one (docs/load_plan.md)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from clustering.load_plan.compile import Compiled, append, compile_plan
from clustering.load_plan.corpus import Corpus, corpus_in, corpus_of
from clustering.load_plan.draft import Target
from pipeline.blobs import Blobs
from pipeline.errors import JoineryError
from pipeline.loader.catalogue import read_catalogue
from pipeline.loader.names import SET
from pipeline.loader.plan import LoadPlan
from pipeline.loader.reader import shard_set_folder
from pipeline.loader.timeline import read_timeline
from schemas.recipe_file import RecipeErrors
from schemas.recipe_load import LoadSpec
from schemas.recipe_text import Document, override

PLAN = "plan.json"
SECTION = "load"


@dataclass(frozen=True)
class Extent:
    """How long a plan shall be, and where what is new begins."""

    draws: int | None = None
    """In all, at least. None, and no steps either: an epoch of the sampling plan, or one more when appending."""
    steps: int | None = None
    """In all, exactly."""
    append: bool = False
    from_step: int | None = None


def load_section(base: LoadSpec, overrides: Sequence[str]) -> LoadSpec:
    """A load section with overrides such as ``load.budget=12288``. Raises RecipeErrors listing what is wrong."""
    document = Document("--set", {SECTION: base.model_dump(mode="json")})
    for assignment in overrides:
        override(document, assignment)
    problems = [document.sentence(problem) for problem in document.problems]
    strangers = {str(path[0]): said for path, said in document.overridden.items() if path[0] != SECTION}
    problems += [f"override '{said}': {key}: without a recipe expected {SECTION}.…" for key, said in strangers.items()]
    if problems:
        raise RecipeErrors(problems)
    try:
        return LoadSpec.model_validate_json(json.dumps(document.data[SECTION]), strict=True)
    except ValidationError as error:
        raise RecipeErrors([_said(item) for item in error.errors(include_url=False)]) from error


def _said(item: Any) -> str:
    key = ".".join((SECTION, *map(str, item["loc"])))
    if item["type"] == "impossible":
        return f"--set: {SECTION}.{item['msg']}"
    return f"--set: {key}: {item['msg']}, found {json.dumps(item['input'])}"


def compile_load_plan(
    shards: str,
    out: str,
    spec: LoadSpec | None,
    extent: Extent,
    *,
    overrides: Sequence[str] = (),
    storage: dict[str, str] | None = None,
) -> Compiled:
    """Compile the plan of a shard set (its folder, or the ``shards`` folder above it) into ``out``.

    Without ``spec`` the section is that of the plan there is, or else the defaults, with ``overrides`` on top. Raises
    JoineryError naming what is missing, there already or contradictory.
    """
    if extent.draws is not None and extent.steps is not None:
        raise JoineryError("--draws and --steps: expected one of them; a step has load.packs_per_step packs")
    if extent.from_step is not None and not extent.append:
        raise JoineryError("--from-step: expected --append with it; a new plan begins at step 0")
    blobs, target = shard_set_folder(shards, storage), Blobs(out.rstrip("/"), storage or {})
    there = LoadPlan.open(out, storage) if extent.append else None
    if spec is None:
        spec = load_section(there.header.chapters[-1].spec if there else LoadSpec(), overrides)
    sampling: dict[str, Any] = json.loads(blobs.read(PLAN))["plan"]
    corpus = _corpus(blobs, sampling, spec, there)
    if there is None:
        return compile_plan(target, corpus, spec, _target(extent, sampling["n_draws"], 0))
    cut = there.n_steps if extent.from_step is None else min(extent.from_step, there.n_steps)
    kept = there.n_draws_before(cut)
    return append(target, corpus, spec, _target(extent, sampling["n_draws"], kept), from_step=extent.from_step)


def _target(extent: Extent, epoch: int, there: int) -> Target:
    if extent.steps is not None:
        return Target(steps=extent.steps)
    return Target(draws=there + epoch if extent.draws is None else extent.draws)


def _corpus(blobs: Blobs, sampling: dict[str, Any], spec: LoadSpec, there: LoadPlan | None) -> Corpus:
    """Of the shard set; out of the plan's own folder when it was made from the same set, without opening a manifest."""
    shard_set_id = json.loads(blobs.read(SET))["shard_set_id"]
    last = None if there is None else there.header.chapters[-1]
    if there is not None and last is not None and last.shard_set_id == shard_set_id:
        kept = corpus_in(there) if last.spec.of_corpus == spec.of_corpus else None
        if kept is not None:
            return kept
    catalogue, steps = read_catalogue(blobs), sampling.get("steps", ())
    timeline = read_timeline(blobs) if spec.reaches else None
    return corpus_of(
        catalogue, sampling["cells"], sampling["plan_id"], shard_set_id, steps=steps, spec=spec, timeline=timeline
    )
