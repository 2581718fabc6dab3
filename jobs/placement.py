"""What the workers of one stage need under a recipe: what a stage declares, in an executor's words.

A stage that loads a model gets processes of its own, which load it once, and larger batches to fill the model's with.
Starting such processes costs some ten seconds, so a stage without a model never asks for them.
"""

from dataclasses import dataclass

from pipeline.stage import Stage
from schemas.recipe import Recipe

LIGHT_STAGE_FACTOR = 8
"""Stages that open no source take this many times ``run.batch_items`` at once: their items are cheap."""
MODEL_STAGE_FACTOR = 64
"""Stages with a model: a short episode has three pictures, and a GPU wants hundreds at a time."""


@dataclass(frozen=True)
class Placement:
    """Where and in which portions a stage's items are done."""

    items: int
    """At most so many items per batch."""
    holds_model: bool = False
    gpus: float = 0.0
    """Per worker."""


def placement(stage: Stage, recipe: Recipe) -> Placement:
    """The placement of a stage under a recipe whose device is settled."""
    spec, items = stage.recipe_slice(recipe), recipe.run.batch_items
    if stage.holds_model(spec):
        gpus = recipe.run.gpu_share if stage.on_gpu(spec) else 0.0
        return Placement(items * MODEL_STAGE_FACTOR, holds_model=True, gpus=gpus)
    return Placement(items if stage.reads_source else items * LIGHT_STAGE_FACTOR)
