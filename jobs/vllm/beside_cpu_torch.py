"""A start-up hook of vLLM's own environment: declares torchvision's operators before anybody imports it.

`make vllm` copies this file and `clustering/torchvision_schemas.py`, which says why, into the environment, and a
``.pth`` file imports it in every process started there: vLLM's engine is a process of its own. Nothing is imported
before somebody asks for torchvision, so an interpreter starts as fast as before.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType


class DeclareFirst(MetaPathFinder):
    """Finds nothing. Asked for torchvision, it steps aside for good and has its operators declared."""

    def find_spec(self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            import torchvision_schemas  # type: ignore[import-not-found]  # noqa: PLC0415 - it lies beside the copy

            torchvision_schemas.declare()


sys.meta_path.insert(0, DeclareFirst())
