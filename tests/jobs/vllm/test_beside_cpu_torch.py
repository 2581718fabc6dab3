"""The start-up hook of vLLM's environment: torchvision's operators are declared before its first import, once."""

import subprocess
import sys
from pathlib import Path

import pytest

from clustering import torchvision_schemas

HOOK = Path(__file__).resolve().parents[3] / "jobs" / "vllm" / "beside_cpu_torch.py"


def run(code: str, folder: Path) -> str:
    """What a fresh interpreter prints that finds the hook as `make vllm` lays it out."""
    for file in (HOOK, Path(torchvision_schemas.__file__)):
        (folder / file.name).write_text(file.read_text())
    line = f"import sys; sys.path.insert(0, {str(folder)!r}); import beside_cpu_torch; {code}"
    return subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slow
def test_torchvision_can_be_imported(tmp_path: Path) -> None:
    assert run("import torchvision.ops; import torchvision; print(torchvision.__name__)", tmp_path) == "torchvision"


def test_nothing_is_imported_for_those_who_do_not_ask_for_it(tmp_path: Path) -> None:
    assert run("import json; print('torch' in sys.modules)", tmp_path) == "False"
