"""Nearest in the spaces of the clusters, never across embedding models, and never the event itself."""

import math

import numpy as np
import pytest

from clustering.cluster import fit_corpus
from clustering.similar import most_similar
from schemas.cluster import Embedding, Space
from schemas.recipe import ClusterSpec

V, A = "joinery-words-v1:64", "joinery-poses-v2:32x6"
RNG = np.random.default_rng(0)
GROUPS = RNG.normal(size=(4, 80)).astype(np.float32)


def embeddings() -> list[Embedding]:
    """40 events in four groups; only those of even number have actions."""
    made = []
    for number in range(40):
        vector = GROUPS[number % 4] + 0.05 * RNG.normal(size=80).astype(np.float32)
        made.append(Embedding(f"ev-{number:02d}", "ep-1", Space.VISION_LANGUAGE, V, vector.astype(np.float32)))
        if number % 2 == 0:
            action = GROUPS[number % 4][:70] + 0.05 * RNG.normal(size=70)
            made.append(Embedding(f"ev-{number:02d}", "ep-1", Space.ACTION, A, action.astype(np.float32)))
    return made


ALL = embeddings()
MODELS = fit_corpus([ALL], ClusterSpec(min_cluster=2))


def of(event_id: str) -> list[Embedding]:
    return [item for item in ALL if item.event_id == event_id]


def test_the_events_of_its_group_come_first() -> None:
    found = most_similar(of("ev-00"), lambda: [ALL[:30], ALL[30:]], MODELS, n=9)
    assert {int(similar.event_id[3:]) % 4 for similar in found} == {0}
    assert "ev-00" not in {similar.event_id for similar in found}
    assert [similar.score for similar in found] == sorted((similar.score for similar in found), reverse=True)


def test_one_space_can_be_asked_alone_and_events_without_it_are_left_out() -> None:
    found = most_similar(of("ev-00"), lambda: [ALL], MODELS, n=100, spaces=(Space.ACTION,))
    assert {similar.event_id for similar in found} == {f"ev-{number:02d}" for number in range(2, 40, 2)}
    assert all(math.isnan(similar.vision_language) for similar in found)


def test_only_wanted_events_are_found() -> None:
    found = most_similar(of("ev-00"), lambda: [ALL], MODELS, n=3, wanted=lambda name: name in {"ev-01", "ev-04"})
    assert [similar.event_id for similar in found] == ["ev-04", "ev-01"]


def test_vectors_of_another_model_are_not_compared() -> None:
    stranger = Embedding("ev-x", "ep-1", Space.VISION_LANGUAGE, "open_clip:other", np.zeros(8, np.float32))
    assert most_similar(of("ev-01"), lambda: [[stranger]], MODELS, n=5) == []
    with pytest.raises(ValueError, match="run cluster"):
        most_similar([stranger], lambda: [ALL], MODELS, n=5)
