"""litData: events in chunks by its own ``optimize``, streamed with its own shuffle, decoded with the same decoder."""

from pathlib import Path
from typing import Any

import torch

from clustering.torchvision_schemas import declare

declare()  # litData imports torchvision

import litdata  # noqa: E402

from benchmarks.peers.corpus import Corpus  # noqa: E402
from benchmarks.peers.reading import Event, Manner, main  # noqa: E402
from pipeline.loader.decode import decode_clip  # noqa: E402

CHUNK_BYTES = "64MB"


class Sample:
    """An event number to what is stored of it: the clips' bytes and the actions."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    def __call__(self, event: int) -> dict[str, Any]:
        clips = {view: self._corpus.clip(event, view).read_bytes() for view in self._corpus.views}
        return {"event": event, **clips, "action": self._corpus.actions(event)}


def write(corpus: Corpus, place: Path, _variant: str) -> None:
    """Chunks of 64 MB, uncompressed: the README's settings."""
    litdata.optimize(
        fn=Sample(corpus),
        inputs=list(range(corpus.n_events)),
        output_dir=str(place),
        num_workers=1,
        chunk_bytes=CHUNK_BYTES,
        mode="overwrite",
    )


class Events(litdata.StreamingDataset):
    """Decodes what it streams."""

    views: tuple[str, ...] = ()

    def __getitem__(self, index: Any) -> dict[str, Any]:
        sample = super().__getitem__(index)
        views = {view: torch.from_numpy(decode_clip(bytes(sample[view]))) for view in self.views}
        return {"event": sample["event"], "views": views, "action": sample["action"]}


def _alone(batch: list[Event]) -> Event:
    return batch[0]


def opened(corpus: Corpus, place: Path, manner: Manner) -> litdata.StreamingDataLoader:
    """Its own loader, events one at a time."""
    events = Events(str(place), shuffle=not manner.in_order)
    events.views = corpus.views
    return litdata.StreamingDataLoader(events, batch_size=1, num_workers=manner.workers, collate_fn=_alone)


if __name__ == "__main__":
    main(write, opened, ("litdata", "av", "numpy", "torch"))
