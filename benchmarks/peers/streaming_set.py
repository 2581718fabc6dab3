"""mosaicml-streaming: events in MDS shards by its own writer, clips as bytes, decoded with the same decoder."""

from pathlib import Path
from typing import Any

import torch

from clustering.torchvision_schemas import declare

declare()  # the package imports torchvision

import streaming  # noqa: E402

from benchmarks.peers.corpus import ACTION_COLUMNS, EVENT_FRAMES, Corpus  # noqa: E402
from benchmarks.peers.reading import Event, Manner, main  # noqa: E402
from pipeline.loader.decode import decode_clip  # noqa: E402


def write(corpus: Corpus, place: Path, _variant: str) -> None:
    """Shards of the writer's own size, uncompressed."""
    columns = dict.fromkeys(corpus.views, "bytes")
    columns |= {"event": "int", "action": f"ndarray:float32:{EVENT_FRAMES},{ACTION_COLUMNS}"}
    with streaming.MDSWriter(out=str(place), columns=columns) as out:
        for event in range(corpus.n_events):
            clips = {view: corpus.clip(event, view).read_bytes() for view in corpus.views}
            out.write({**clips, "event": event, "action": corpus.actions(event)})


class Events(streaming.StreamingDataset):
    """Decodes what it streams."""

    views: tuple[str, ...] = ()

    def __getitem__(self, at: Any) -> dict[str, Any]:
        sample = super().__getitem__(at)
        views = {view: torch.from_numpy(decode_clip(sample[view])) for view in self.views}
        return {"event": sample["event"], "views": views, "action": sample["action"]}


def _alone(batch: list[Event]) -> Event:
    return batch[0]


def opened(corpus: Corpus, place: Path, manner: Manner) -> "torch.utils.data.DataLoader[Event]":
    """Its default shuffle, one event at a time."""
    streaming.base.util.clean_stale_shared_memory()
    events = Events(local=str(place), shuffle=not manner.in_order, batch_size=1)
    events.views = corpus.views
    return torch.utils.data.DataLoader(events, batch_size=1, num_workers=manner.workers, collate_fn=_alone)


if __name__ == "__main__":
    main(write, opened, ("mosaicml-streaming", "av", "numpy", "torch"))
