"""What computes besides the processor: a GPU, if there is one, used once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import import_module

from jobs.doctor.check import Check, broken, doubtful, well

_SIZE = 256


def devices() -> Iterator[Check]:
    """PyTorch here, and what it can do on a GPU."""
    torch = import_module("torch")
    driver = shutil.which("nvidia-smi") is not None
    if not torch.cuda.is_available():
        if driver:
            advice = f"install the CUDA build of torch {torch.__version__.partition('+')[0]}, or mend the driver"
            yield doubtful("gpu", f"a driver, and torch {torch.__version__} sees no GPU", "a GPU", advice)
        else:
            yield well("gpu", f"none; torch {torch.__version__} computes on the processor")
        return
    for i in range(torch.cuda.device_count()):
        name, free = torch.cuda.get_device_name(i), torch.cuda.mem_get_info(i)[0] / (1 << 30)
        ones = torch.ones(_SIZE, _SIZE, device=f"cuda:{i}")
        total = float((ones @ ones).sum())
        if total != _SIZE**3:
            yield broken(f"gpu {i}", f"{name} computes {total}", f"{_SIZE**3}", "look at nvidia-smi and its log")
        else:
            yield well(f"gpu {i}", f"{name}, {free:.1f} GiB free, CUDA {torch.version.cuda}, computes")
    yield well("video on gpu", "not used: pictures are decoded on processors, to the same bits everywhere")
