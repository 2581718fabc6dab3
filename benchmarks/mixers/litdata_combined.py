"""litData's ``CombinedStreamingDataset`` through its own loader: a streaming data set per cell, and a ``method``."""

from pathlib import Path
from typing import Any

from clustering.torchvision_schemas import declare

declare()  # litData imports torchvision

import litdata  # noqa: E402

from benchmarks.mixers.request import Request, answer  # noqa: E402

BATCH = 32
SPARE = 2.5
"""Samples per expected draw: a data set that ran out would end the mixture."""


class Cell:
    """Makes samples that are nothing but their cell."""

    def __init__(self, cell: int) -> None:
        self._cell = cell

    def __call__(self, _number: int) -> int:
        return self._cell


def mix(request: Request) -> list[int]:
    """The cell of each draw."""
    cells = []
    for cell, share in enumerate(request["shares"]):
        place = Path(request["scratch"]) / f"cell-{cell}"
        if not (place / "index.json").is_file():
            inputs = list(range(int(request["n_draws"] * share * SPARE) + request["n_draws"] // 2))
            litdata.optimize(Cell(cell), inputs, str(place), num_workers=1, chunk_size=10_000, mode="overwrite")
        cells.append(litdata.StreamingDataset(str(place)))
    mixed = litdata.CombinedStreamingDataset(
        cells,
        seed=request["seed"],
        weights=request["shares"],
        iterate_over_all=False,
        batching_method=request["method"],
    )
    order: list[int] = []
    for batch in litdata.StreamingDataLoader(mixed, batch_size=BATCH, num_workers=0, collate_fn=_plain):
        order += batch
        if len(order) >= request["n_draws"]:
            break
    return order[: request["n_draws"]]


def _plain(batch: list[Any]) -> list[int]:
    return [int(sample) for sample in batch]


if __name__ == "__main__":
    answer(mix, "litdata")
