"""What is started: vLLM's command line and environment, from the recipe.

vLLM lives in an environment of its own, because it pins what Joinery needs in other versions; so it is a command and
never an import. The server's key is passed in its environment, since anybody on a machine can read command lines.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from annotators.vlm.secret import Secret
from pipeline.errors import ServiceError
from schemas.recipe_vlm import StartVllm, VlmSpec

MODULE = "vllm.entrypoints.openai.api_server"
"""And not ``vllm serve``, which asks for the version of a package of that very name: the CPU's is called otherwise."""
CHECKOUT = Path(__file__).resolve().parents[2]
OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "OMP_NUM_THREADS")
"""Variables that are about our interpreter or our one thread per process, and not about vLLM's."""
STRUCTURED = {"backend": "guidance", "disable_any_whitespace": True}
"""xgrammar lets raw control characters into strings, and a model that may write blanks for ever sometimes does."""


@dataclass(frozen=True)
class Command:
    """A command line with its environment; ``shown`` is what logs may say."""

    line: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)

    @property
    def shown(self) -> str:
        return " ".join(self.line)


@dataclass(frozen=True)
class Wanted:
    """The server a recipe asks for."""

    model: VlmSpec
    start: StartVllm
    key: Secret
    """Made up for the run; who does not know it is not served."""
    gpus: int
    """0: on the CPU."""


def vllm_command(wanted: Wanted, host: str, port: int) -> Command:
    """The command for one server. Raises ServiceError when vLLM's interpreter or the weights are not there."""
    model, start, gpus = wanted.model, wanted.start, wanted.gpus
    check_start(start)
    line = [_interpreter(start), "-m", MODULE, "--model", start.weights or model.model]
    line += ["--served-model-name", model.model, "--host", host, "--port", str(port)]
    if start.weights is None:
        line += ["--revision", model.revision]
    if gpus > 1:
        line += ["--tensor-parallel-size", str(gpus)]
    line += ["--structured-outputs-config", json.dumps(STRUCTURED), *start.arguments]
    inherited = {name: value for name, value in os.environ.items() if name not in OURS}
    fixed = {"VLLM_NO_USAGE_STATS": "1", "VLLM_HOST_IP": host, "PYTHONUNBUFFERED": "1"}
    threads = {} if gpus else {"OMP_NUM_THREADS": str(os.cpu_count() or 1), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    environment = {**inherited, **fixed, **threads, **start.environment, "VLLM_API_KEY": wanted.key.reveal()}
    return Command(tuple(line), environment)


def check_start(start: StartVllm) -> None:
    """Whether what a server is started from is on this machine. Raises ServiceError: vLLM itself would take a folder
    that is not there for the name of a model on a hub."""
    python, weights = _interpreter(start), start.weights
    if not os.access(python, os.X_OK):
        raise ServiceError(
            f"{python}: no interpreter there, so no vLLM server can be started; `make vllm` makes one with vLLM, or "
            "name that of your own environment under start.python"
        )
    if weights is not None and not (Path(weights) / "config.json").is_file():
        found = "no config.json in it" if Path(weights).is_dir() else "no such folder"
        raise ServiceError(
            f"run.vlm.start.weights: {weights}: {found}, expected the folder of a checkpoint; mend the path, or leave "
            "it out if the model is to come from a hub"
        )


def _interpreter(start: StartVllm) -> str:
    return start.python or str(CHECKOUT / ".venv-vllm" / "bin" / "python")
