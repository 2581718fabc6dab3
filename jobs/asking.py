"""Bringing the stages that ask models together with the servers that answer.

The coordinator finds or starts the servers of a run (`servers_for`) and hands their addresses to the workers with each
batch; a worker asks them through one client, with the answers of earlier runs first (`asker_of`), and counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from annotators.vlm.cache import CachedAsker
from annotators.vlm.client import ServerAsker
from annotators.vlm.endpoint import Server, servers_of
from annotators.vlm.metered import MeteredAsker
from annotators.vlm.request import Asker
from jobs.meter import servers_cost
from jobs.vllm.command import check_start
from pipeline.stage import Stage
from pipeline.store import Workspace
from schemas.cost import BatchCost
from schemas.model_call import ModelCall
from schemas.recipe import Recipe
from schemas.recipe_vlm import VlmServersSpec, VlmSpec

AskerFor = Callable[[str], Asker | None]
"""An item's asker."""


def check_servers(recipe: Recipe, stage: Stage) -> None:
    """Knock at the endpoints a recipe names, or look for what it wants to start, if this machine is to start it.

    Raises ServiceError for the first that is not what it should be.
    """
    model, spec = asked_by(stage, recipe)
    if model is None or spec is None:
        return
    if spec.start is not None and recipe.run.ray_address is None:
        check_start(spec.start)
    if spec.endpoints:
        with ServerAsker(model, servers_of(spec), spec) as asker:
            asker.check()


@contextmanager
def servers_for(stage: Stage, recipe: Recipe, workspace: Workspace, run_id: str) -> Iterator[tuple[Server, ...]]:
    """The servers a stage asks, for as long as it works; none for a stage that asks nobody."""
    model, spec = asked_by(stage, recipe)
    if model is None or spec is None:
        yield ()
    elif spec.start is None:
        yield tuple(servers_of(spec))
    else:
        from jobs.vllm.fleet import started  # noqa: PLC0415 - importing ray takes seconds

        began = time.monotonic()
        with started(model, spec.start, workspace.blobs, run_id) as fleet:
            try:
                yield tuple(fleet.servers)
            finally:
                workspace.append(BatchCost, [servers_cost(run_id, time.monotonic() - began, fleet.gpus)])


@contextmanager
def asker_of(
    stage: Stage,
    recipe: Recipe,
    workspace: Workspace,
    servers: tuple[Server, ...],
    write_down: Callable[[ModelCall], None],
) -> Iterator[AskerFor]:
    """Makes the asker of each item of a batch; ``write_down`` gets what each question cost, with its item."""
    model, spec = asked_by(stage, recipe)
    if model is None or spec is None:
        yield lambda _item: None
        return
    with ServerAsker(model, servers, spec) as asker:
        cached = CachedAsker(asker, workspace.blobs)
        yield lambda item: MeteredAsker(cached, lambda call: write_down(replace(call, item=item)))


def asked_by(stage: Stage, recipe: Recipe) -> tuple[VlmSpec | None, VlmServersSpec | None]:
    """The model a stage asks and where; None and None for a stage that asks nobody."""
    model = stage.asks(stage.recipe_slice(recipe))
    return (model, recipe.run.vlm) if model is not None else (None, None)
