"""All checks, in the order in which one needs the other."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial

from jobs.doctor.browser import browser
from jobs.doctor.check import Check, looked_at, well
from jobs.doctor.cluster import cluster
from jobs.doctor.codecs import codecs
from jobs.doctor.devices import devices
from jobs.doctor.installation import installation
from jobs.doctor.machine import machine
from jobs.doctor.models import models
from jobs.doctor.storage import storage
from pipeline.blobs import is_local
from schemas.recipe import Recipe

_AGAIN = "pip install --force-reinstall --constraint constraints.txt --editable ."


def examine(recipe: Recipe | None, *, with_ray: bool = True) -> Iterator[Check]:
    """Every line of the report, as it is found. Without a recipe the storage that is tried is a temporary folder."""
    folders = {"the workspace": recipe.workspace.url} if recipe and is_local(recipe.workspace.url) else {}
    yield from looked_at("installation", installation, "an installation", _AGAIN)
    yield from looked_at("machine", partial(machine, folders), "a machine that answers", "look at its logs")
    yield from looked_at("codecs", codecs, "codecs that work", _AGAIN)
    if recipe is None:
        with tempfile.TemporaryDirectory() as scratch:
            yield from looked_at("storage", partial(storage, scratch, {}), "a folder to write to", "make room there")
    else:
        spec = recipe.workspace
        advice = "see that it is there, that this user may list, read, write and delete, and workspace.storage"
        yield from looked_at("storage", partial(storage, spec.url, spec.storage), f"{spec.url} can be used", advice)
    yield from looked_at("gpu", devices, "a PyTorch that works", _AGAIN)
    yield from looked_at("model", partial(models, recipe), "a model that answers", "docs/vlm_servers.md")
    yield from looked_at("browser", browser, "a browser that starts", "apt-get install chromium")
    if recipe is None or not with_ray:
        yield well("ray", "not asked for" if recipe else "not looked at: name a recipe")
    else:
        advice = "see docs/run.md, Executors; `run.executor: inline` works without Ray"
        yield from looked_at("ray", partial(cluster, recipe), "a cluster that answers", advice)
