"""Grain's ``MapDataset.mix``: random access, deterministic, a Python loop over all cells for every index."""

import time

import grain

from benchmarks.mixers.request import Request, answer


def mix(request: Request) -> list[int]:
    """The cell of each of the first draws. The clock runs while indices are looked up, not while data sets are made."""
    cells = [grain.MapDataset.range(cell, cell + 1).repeat() for cell in range(len(request["shares"]))]
    mixed = grain.MapDataset.mix(cells, weights=request["shares"])
    started = time.process_time()
    order = [int(mixed[t]) for t in range(request["n_draws"])]
    request["cpu_s"] = time.process_time() - started
    return order


if __name__ == "__main__":
    answer(mix, "grain")
