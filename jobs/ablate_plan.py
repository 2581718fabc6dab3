"""Load plans of equal tokens: each as many steps as its windows need to come up to the same number of them.

Steps hold whole windows, and windows of different kinds fill packs differently, so the number of steps differs from arm
to arm. What is the same is what a model has seen: no arm gets more than asked for, and none lacks a whole step of it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from jobs.compile import Extent, compile_load_plan
from pipeline.errors import JoineryError
from pipeline.loader.plan import LoadPlan
from schemas.recipe_load import LoadSpec


@dataclass(frozen=True)
class Equal:
    """What an arm's plan came to."""

    plan_hash: str
    steps: int
    tokens: int
    draws: int


def compile_equal(shards: str, out: Path, spec: LoadSpec, tokens: int, storage: dict[str, str] | None = None) -> Equal:
    """The longest plan of at most ``tokens``, anew in ``out``. Raises JoineryError when not one step has so few."""
    longer, n_steps = out.with_name(out.name + ".longer"), -(-tokens // (spec.budget * spec.packs_per_step))
    for folder in (longer, out):
        shutil.rmtree(folder, ignore_errors=True)
    compile_load_plan(shards, str(longer), spec, Extent(steps=n_steps), storage=storage)
    while True:
        plan = LoadPlan.open(str(longer))
        counted = tokens_of(plan)
        if sum(counted) > tokens:
            break
        more = Extent(steps=plan.n_steps + max(1, plan.n_steps // 10), append=True)
        compile_load_plan(shards, str(longer), spec, more, storage=storage)
    steps, total = 0, 0
    while total + counted[steps] <= tokens:
        total += counted[steps]
        steps += 1
    if not steps:
        raise JoineryError(f"tokens: found {tokens}, expected {counted[0]} or more: that is what one step holds")
    made = compile_load_plan(shards, str(out), spec, Extent(steps=steps), storage=storage).header
    shutil.rmtree(longer)
    return Equal(made.plan_hash, steps, total, made.n_draws)


def tokens_of(plan: LoadPlan) -> list[int]:
    """Of every step."""
    return [sum(pack.n_tokens for pack in plan.step(step)) for step in range(plan.n_steps)]
