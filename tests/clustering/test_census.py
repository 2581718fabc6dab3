"""One pass over the corpus: what is new, and how much of that is far out."""

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.census import take_census
from clustering.cluster import fit_corpus
from schemas.cluster import Space
from schemas.recipe import ClusterSpec
from tests.clustering.made import embedding

RNG = np.random.default_rng(0)
KNOWN = [embedding(f"ev-{i}", [(-1) ** i * 5, 0, 1] + 0.1 * RNG.normal(size=3)) for i in range(100)]
NEAR = [dataclasses.replace(item, event_id=f"near-{item.event_id}") for item in KNOWN[:10]]
FAR = [embedding(f"far-{i}", [0, 30 + i, 0]) for i in range(7)]
(MODEL,) = fit_corpus([KNOWN], ClusterSpec(k_action=2))
MAKE = (MODEL.space, MODEL.embedding_model)
EVENTS = take_census([KNOWN], 100, {}, {})[0][1].events


@given(st.permutations(range(117)), st.integers(1, 117))
@settings(max_examples=10, deadline=None)
def test_what_is_new_does_not_depend_on_batches(order: list[int], size: int) -> None:
    items = [[*KNOWN, *NEAR, *FAR][i] for i in order]
    batches = [items[i : i + size] for i in range(0, len(items), size)]
    ((sample, count),) = take_census(batches, 50, {MAKE: MODEL}, {MODEL.model_id: EVENTS})
    assert (count.n_new, count.n_beyond) == (17, 7)
    assert (sample.n_events, len(sample.vectors)) == (117, 50)
    assert len(count.events) == 117
    assert set(EVENTS.tolist()) < set(count.events.tolist())


def test_an_event_with_another_vector_is_another_event() -> None:
    moved = [dataclasses.replace(KNOWN[0], vector=KNOWN[0].vector + np.float32(0.001)), KNOWN[1]]
    ((_, count),) = take_census([moved], 50, {MAKE: MODEL}, {MODEL.model_id: EVENTS})
    assert count.n_new == 1


def test_makes_are_counted_apart_and_without_a_model_nothing_is_far() -> None:
    words = [embedding("ev-0", np.ones(4), Space.VISION_LANGUAGE, "joinery-words-v1:2")]
    (_, action), (_, looks) = take_census([[*FAR, *words]], 50, {MAKE: MODEL}, {MODEL.model_id: EVENTS})
    assert (action.n_new, action.n_beyond) == (7, 7)
    assert (looks.n_new, looks.n_beyond, len(looks.events)) == (1, 0, 1)
