"""The assign stage: cells and tail of an event."""

import dataclasses

import numpy as np
import pytest

from clustering.assign import STAGE, AssignSlice, assign
from clustering.cluster import fit_corpus
from pipeline.stage import Bundle
from schemas.cluster import NULL_CLUSTER, Assignment, ClusterModel, Embedding, Space
from schemas.episode import Episode
from schemas.event import Event, RecoveryKind
from schemas.recipe import ClusterSpec
from schemas.source import SourceKind
from tests.clustering.made import embedding, episode, event

WORDS = "joinery-words-v1:0"
RNG = np.random.default_rng(0)
LEFT, RIGHT = np.array([5.0, 0, 1]), np.array([-5.0, 0, 1])


def corpus(space: Space, model: str) -> list[Embedding]:
    return [
        embedding(f"ev-{i}", (LEFT if i % 2 else RIGHT) + 0.1 * RNG.normal(size=3), space, model) for i in range(200)
    ]


MODELS = fit_corpus(
    [corpus(Space.VISION_LANGUAGE, WORDS), corpus(Space.ACTION, "joinery-poses-v2:32x6")],
    ClusterSpec(k_vision_language=2, k_action=2),
)


def assigned(events: list[Event], embeddings: list[Embedding]) -> list[Assignment]:
    return assign(episode(), events, embeddings, MODELS)


def seen(vector: np.ndarray, name: str = "ev-1") -> Embedding:
    return embedding(name, vector, Space.VISION_LANGUAGE, WORDS)


def test_an_event_goes_to_the_nearest_centroid_of_each_space() -> None:
    items = [seen(LEFT, "ev-1"), embedding("ev-1", RIGHT), seen(LEFT, "ev-2"), embedding("ev-2", LEFT)]
    one, other = assigned([event(20, 40, name="ev-2"), event(0, 20, name="ev-1")], items)
    assert (one.event_id, other.event_id) == ("ev-1", "ev-2")
    assert one.vision_language == other.vision_language
    assert one.action != other.action
    assert one.vision_language_distance < 0.05
    assert (one.source, one.dataset, one.level, one.n_frames, one.duration_s) == ("lab", "lab/cups", "action", 20, 1.0)


def test_an_event_without_actions_has_the_null_cluster() -> None:
    (found,) = assigned([event()], [seen(LEFT)])
    assert (found.action, found.action_distance, found.tail) == (NULL_CLUSTER, 0.0, False)


def test_far_from_everything_is_the_tail() -> None:
    (found,) = assigned([event()], [seen(np.array([0.0, 50, 0]))])
    assert found.tail
    assert found.vision_language_distance > 0.5


@pytest.mark.parametrize("recovery", list(RecoveryKind))
def test_a_recovery_is_the_tail_however_ordinary_it_looks(recovery: RecoveryKind) -> None:
    (found,) = assigned([event(recovery=recovery)], [seen(LEFT)])
    assert found.tail is found.recovery is (recovery is not RecoveryKind.NONE)


def test_events_of_a_source_of_recoveries_are_recoveries_but_no_tail_for_it() -> None:
    of = dataclasses.replace(episode(), kind=SourceKind.RECOVERY)
    (found,) = assign(of, [event()], [seen(LEFT)], MODELS)
    assert (found.recovery, found.tail) == (True, False)


def test_events_that_were_not_embedded_are_not_assigned() -> None:
    assert assigned([event()], []) == []


def test_an_embedding_nobody_fitted_is_an_error_that_says_what_to_do() -> None:
    stranger = embedding("ev-1", LEFT, Space.VISION_LANGUAGE, "open_clip:x")
    with pytest.raises(ValueError, match=r"open_clip:x: no clusters were fitted .*; run cluster"):
        assigned([event()], [stranger])


def test_the_stage_takes_its_inputs_from_the_bundle() -> None:
    records = {Episode: [episode()], Event: [event()], Embedding: [seen(LEFT)], ClusterModel: MODELS}
    assert set(records) == {read.record for read in STAGE.reads}
    (found,) = STAGE.run(Bundle("ep-1", records=records), AssignSlice())
    assert isinstance(found, Assignment)
    empty = {Episode: [episode()], Event: [], Embedding: [], ClusterModel: []}
    assert list(STAGE.run(Bundle("ep-1", records=empty), AssignSlice())) == []
