"""One event of a shard set as people name it: by its id, or by its draw number in a split."""

from collections.abc import Sequence

import pyarrow.compute as pc

from pipeline.loader.reader import ShardSet


def found_draw(shards: ShardSet, event: str, splits: Sequence[str]) -> tuple[str, int]:
    """Split and draw of an event; a number is a draw of the first of the ``splits``, an id may be in any.

    Reads the manifest's ids and no sample. Raises ValueError saying what there is.
    """
    if event.isdecimal() and int(event) < shards.n_samples(splits[0]):
        return splits[0], int(event)
    for split in splits:
        place: int = pc.index(shards.manifest(split, ["event_id"]).column("event_id"), event).as_py()
        if place >= 0:
            return split, place
    counts = ", ".join(f"{split} {shards.n_samples(split)}" for split in splits)
    raise ValueError(
        f"no event {event!r}; expected an id, or a draw number of the split {splits[0]!r} (draws: {counts})"
    )
