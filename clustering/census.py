"""One pass over the corpus: a bounded sample of it, and how much of it is new to the models there are.

Events are known by what they are, id and vector: an event that was captioned anew is another one in the space of words.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from clustering.corpus_sample import Sample, sample_models
from clustering.counter_hash import Keys
from clustering.place import place
from schemas.cluster import ClusterModel, Embedding, Space

Make = tuple[Space, str]
"""A space and the embedding model that made vectors in it."""


@dataclass
class Count:
    """The events of one make: who they are, and how many are new and how many of those far out."""

    model: ClusterModel | None = None
    known: Keys = field(default_factory=lambda: np.zeros(0, np.uint64))
    """Sorted keys of the events the model was fitted on, or chosen from."""
    n_new: int = 0
    n_beyond: int = 0
    parts: list[Keys] = field(default_factory=list)

    def add(self, items: list[Embedding]) -> None:
        keys = np.fromiter((_key(item) for item in items), np.uint64, len(items))
        self.parts.append(keys)
        new = _absent(keys, self.known)
        self.n_new += int(new.sum())
        if self.model is not None and new.any():
            vectors = np.stack([item.vector for item, is_new in zip(items, new, strict=True) if is_new])
            self.n_beyond += int(place(self.model, vectors.astype(np.float32)).beyond.sum())

    @property
    def events(self) -> Keys:
        """Keys of all events, sorted."""
        return np.sort(np.concatenate(self.parts)) if self.parts else np.zeros(0, np.uint64)


def take_census(
    batches: Iterable[list[Embedding]], limit: int, models: Mapping[Make, ClusterModel], known: Mapping[str, Keys]
) -> list[tuple[Sample, Count]]:
    """A sample of at most ``limit`` events and the count of every make there is, sorted by make.

    ``known`` holds by model id the sorted keys of the events that a model was fitted on or chosen from.
    """
    counts: dict[Make, Count] = {}

    def counted() -> Iterator[list[Embedding]]:
        for batch in batches:
            makes: dict[Make, list[Embedding]] = {}
            for item in batch:
                makes.setdefault((item.space, item.model), []).append(item)
            for make, items in makes.items():
                if make not in counts:
                    counts[make] = _count(models.get(make), known)
                counts[make].add(items)
            yield batch

    return [(sample, counts[sample.space, sample.model]) for sample in sample_models(counted(), limit)]


def _count(model: ClusterModel | None, known: Mapping[str, Keys]) -> Count:
    return Count() if model is None else Count(model, known[model.model_id])


def _key(item: Embedding) -> int:
    hasher = blake2b(item.event_id.encode(), digest_size=8)
    hasher.update(np.ascontiguousarray(item.vector, np.float32).tobytes())
    return int.from_bytes(hasher.digest(), "little")


def _absent(keys: Keys, known: Keys) -> NDArray[np.bool_]:
    """Which keys are not among the sorted known ones."""
    if len(known) == 0:
        return np.ones(len(keys), np.bool_)
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    absent: NDArray[np.bool_] = known[at] != keys
    return absent
