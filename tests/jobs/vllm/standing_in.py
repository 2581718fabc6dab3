"""A real server process in vLLM's place: it is found under the name of vLLM's module and listens where it is told.

So everything of ours runs as it does with vLLM (command line, guard, health checks, keys), in a second instead of a
minute. What only vLLM itself can show is in tests/jobs/vllm/test_real_server.py.
"""

import sys
from pathlib import Path
from typing import Any

from schemas.recipe_vlm import StartVllm, VlmSpec
from tests.annotators.vlm.faulty_server import MODEL

ROOT = Path(__file__).resolve().parents[3]
VLM = VlmSpec(model=MODEL, revision="1")


def stand_in(folder: Path, **changes: Any) -> StartVllm:
    """The section of a recipe that starts it; what it notes about its calls goes to ``folder``."""
    package = folder / "package" / "vllm" / "entrypoints" / "openai"
    package.mkdir(parents=True, exist_ok=True)
    (package / "api_server.py").write_text(
        "import sys\nfrom tests.annotators.vlm.faulty_server import serve\nserve(sys.argv[1:])\n"
    )
    state = folder / "state"
    state.mkdir(exist_ok=True)
    keys = {
        "python": sys.executable,
        "arguments": ["--state", str(state)],
        "environment": {"PYTHONPATH": f"{folder / 'package'}:{ROOT}"},
        "hung_s": 1.0,
        "ready_s": 60.0,
    }
    return StartVllm.model_validate(keys | changes)
