"""Energon's ``MetadatasetV2`` with ``blend`` over one WebDataset per cell, read by ``workers`` global workers in turn.

Every worker is a rank of its own in Energon's worker configuration, so it sees what it would see on a cluster; that
the ranks take turns in one process changes nothing, as they never talk to each other. The request has the cells' sizes.
"""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from clustering.torchvision_schemas import declare

declare()  # Energon imports torchvision

from megatron.energon import (  # noqa: E402
    Cooker,
    DefaultTaskEncoder,
    TextSample,
    WorkerConfig,
    basic_sample_keys,
    get_train_dataset,
    stateless,
)
from megatron.energon.epathlib import EPath  # noqa: E402
from megatron.energon.flavors.webdataset import BaseWebdatasetFactory  # noqa: E402

from benchmarks.mixers.request import Request, answer  # noqa: E402


@stateless
def cook(sample: dict[str, Any]) -> TextSample:
    """A crude sample to the cell it came from."""
    return TextSample(**basic_sample_keys(sample), text=str(sample["json"]["cell"]))


class Encoder(DefaultTaskEncoder[TextSample, TextSample, TextSample, TextSample]):
    """Passes samples on."""

    cookers = (Cooker(cook),)


def written(folder: Path, sizes: list[int], weights: list[float]) -> Path:
    """A prepared data set per cell, as ``energon prepare`` leaves it, and the meta data set that blends them."""
    blend = []
    for cell, size in enumerate(sizes):
        place = folder / f"cell-{cell:02d}"
        if not place.is_dir():
            _write_cell(place, cell, size)
        blend.append(f"      - weight: {weights[cell]:.17g}\n        path: {place}\n")
    meta = folder / "blend.yaml"
    head = "__module__: megatron.energon\n__class__: MetadatasetV2\nsplits:\n  train:\n    blend:\n"
    meta.write_text(head + "".join(blend))
    return meta


def _write_cell(place: Path, cell: int, size: int) -> None:
    place.mkdir(parents=True)
    with tarfile.open(place / "shard-0.tar", "w") as tar:
        for number in range(size):
            data = json.dumps({"cell": cell}).encode()
            info = tarfile.TarInfo(f"{number:06d}.json")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    ratio = [("train", 1.0), ("val", 0.0), ("test", 0.0)]
    BaseWebdatasetFactory.prepare_dataset(EPath(place), ["shard-0.tar"], split_parts_ratio=ratio, workers=1)
    crude = "__module__: megatron.energon\n__class__: CrudeWebdataset\n"
    (place / ".nv-meta" / "dataset.yaml").write_text(crude)


def mix(request: Request) -> list[int]:
    """The cell of each draw, workers in turn."""
    meta = written(Path(request["scratch"]), request["sizes"], request["shares"])
    workers = request["workers"]
    streams = []
    for rank in range(workers):
        config = WorkerConfig(rank=rank, world_size=workers, num_workers=0)
        dataset = get_train_dataset(
            meta,
            worker_config=config,
            batch_size=None,
            shuffle_buffer_size=None,
            max_samples_per_sequence=None,
            task_encoder=Encoder(),
        )
        streams.append((config, dataset))
    each = -(-request["n_draws"] // workers)
    found = [_cells(config, dataset, each) for config, dataset in streams]
    return [found[t % workers][t // workers] for t in range(request["n_draws"])]


def _cells(config: WorkerConfig, dataset: Any, count: int) -> list[int]:
    """What one worker yields."""
    config.worker_activate(sample_index=0)
    try:
        samples = iter(dataset)
        return [int(next(samples).text) for _ in range(count)]
    finally:
        config.worker_deactivate()


if __name__ == "__main__":
    answer(mix, "megatron-energon")
