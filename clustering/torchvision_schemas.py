"""Lets torchvision's CUDA wheel be imported beside a CPU-only torch.

The registry's wheel is built against CUDA torch: its compiled operators do not load here, and its import then dies
registering a fake kernel for ``torchvision::nms``, an operator nobody declared. Declaring the two schemas is enough;
nothing of ours calls them. Where the compiled operators do load (a CUDA torch, or a torchvision built for the CPU)
this does nothing: declaring an operator twice is an error too.
"""

import importlib.util
from functools import cache
from pathlib import Path

import torch

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@cache
def declare() -> torch.library.Library | None:
    """Call before the first import of torchvision or open_clip; later calls do nothing.

    Returns the fragment that holds the declarations, which vanish when it is collected; None when none are needed.
    """
    if torch.version.cuda is not None or _operators_load():
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # torch is untyped here
    for schema in SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]  # torch is untyped here
    return library


def _operators_load() -> bool:
    """Whether torchvision's own compiled operators fit this torch; they stay loaded when they do."""
    found = importlib.util.find_spec("torchvision")
    for folder in (found.submodule_search_locations or []) if found else []:
        for binary in sorted(Path(folder).glob("_C.*")):
            try:
                torch.ops.load_library(str(binary))  # type: ignore[no-untyped-call]  # torch is untyped here
            except OSError:
                continue
            return True
    return False
