"""Stock WebDataset over our tars, as they are, with the same decoder. Its order is the tars', through a buffer."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset as wds

from benchmarks.peers.corpus import Corpus
from benchmarks.peers.reading import Event, Manner, main
from pipeline.loader.decode import decode_clip

SHUFFLE_BUFFER = 32
"""Samples of encoded bytes held to shuffle among."""


def write(_corpus: Corpus, _place: Path, _variant: str) -> None:
    """Nothing: it reads what `joinery_set` wrote."""


def decoded(sample: dict[str, Any]) -> dict[str, Any]:
    """Members to pictures and arrays."""
    views = {
        name.removesuffix(".mp4"): torch.from_numpy(decode_clip(data))
        for name, data in sample.items()
        if name.endswith(".mp4")
    }
    record = json.loads(sample["event.json"])
    action = np.load(io.BytesIO(sample["action.npz"]))["values"]
    return {"event": record["draw"]["t"], "views": views, "action": action}


def opened(_corpus: Corpus, place: Path, manner: Manner) -> "torch.utils.data.DataLoader[Event]":
    """Tars in random order, samples through the buffer."""
    tars = sorted(str(path) for path in place.glob("*.tar"))
    stream = wds.WebDataset(tars, shardshuffle=False if manner.in_order else len(tars), seed=0)
    stream = stream if manner.in_order else stream.shuffle(SHUFFLE_BUFFER, seed=0)
    return torch.utils.data.DataLoader(stream.map(decoded), batch_size=None, num_workers=manner.workers)


if __name__ == "__main__":
    main(write, opened, ("webdataset", "av", "numpy", "torch"))
