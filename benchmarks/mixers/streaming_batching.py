"""mosaicml-streaming with one stream per cell, proportions and a ``method``: what one epoch really yields."""

from pathlib import Path

from clustering.torchvision_schemas import declare

declare()  # the package imports torchvision

import streaming  # noqa: E402

from benchmarks.mixers.request import Request, answer  # noqa: E402

SAMPLES = 2000
"""Per stream; the epoch resamples them."""


def mix(request: Request) -> list[int]:
    """The cell of every sample of one epoch, in order."""
    streaming.base.util.clean_stale_shared_memory()
    streams = []
    for cell, share in enumerate(request["shares"]):
        place = Path(request["scratch"]) / f"cell-{cell}"
        if not (place / "index.json").is_file():
            with streaming.MDSWriter(out=str(place), columns={"cell": "int"}) as out:
                for _ in range(SAMPLES):
                    out.write({"cell": cell})
        streams.append(streaming.Stream(local=str(place), proportion=share))
    dataset = streaming.StreamingDataset(
        streams=streams,
        epoch_size=request["n_draws"],
        batch_size=request["batch"],
        batching_method=request["method"],
        shuffle=True,
        shuffle_seed=request["seed"],
        num_canonical_nodes=1,
    )
    return [int(sample["cell"]) for sample in dataset]


if __name__ == "__main__":
    answer(mix, "mosaicml-streaming", refusals=(ValueError,))
