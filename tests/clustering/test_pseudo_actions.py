"""Motions nobody measured are compared with measured ones only when the recipe says so."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from clustering.assign import assign
from clustering.cluster import fit_corpus
from clustering.embed import embed
from clustering.families import POSES, PSEUDO, family_of
from schemas.cluster import Embedding, Space
from schemas.episode import ActionKind, ActionTrack, Arm
from schemas.event import Level
from schemas.recipe import ClusterSpec, EmbedSpec
from tests.clustering.made import alignment, arm, episode, event, thumbnail, track

PATH = np.stack([np.linspace(0, 0.3, 40), np.zeros(40), np.zeros(40)], axis=1)


def motions(actions: ActionTrack, **spec: Any) -> list[Embedding]:
    found = embed(
        episode(), [event()], actions=actions, alignment=alignment(), calibration=None, thumbnails=[thumbnail(0)],
        spec=EmbedSpec(**spec), level=Level.ACTION,
    )  # fmt: skip
    return [embedding for embedding in found if embedding.space is Space.ACTION]


def measured() -> ActionTrack:
    return track(arm(PATH))


def pseudo(actions: ActionTrack | None = None) -> ActionTrack:
    return dataclasses.replace(actions or measured(), kind=ActionKind.PSEUDO, frame="image")


@pytest.mark.parametrize("joints", [False, True])
def test_pseudo_motions_are_another_model_unless_the_recipe_says_together(joints: bool) -> None:
    actions = track(joints=PATH) if joints else measured()
    (own,), (apart,) = motions(actions), motions(pseudo(actions))
    assert apart.model == own.model + PSEUDO
    assert family_of(apart.model) == family_of(own.model)
    np.testing.assert_array_equal(apart.vector, own.vector)
    assert motions(pseudo(actions), pseudo_actions="together")[0].model == own.model


def test_pseudo_motions_may_be_ignored() -> None:
    assert motions(pseudo(), pseudo_actions="ignore") == []
    assert len(motions(measured(), pseudo_actions="ignore")) == 1


@pytest.mark.parametrize("kind", [ActionKind.MEASURED, ActionKind.RETARGETED])
def test_poses_that_were_measured_share_one_model(kind: ActionKind) -> None:
    (found,) = motions(dataclasses.replace(measured(), kind=kind))
    assert found.model == f"{POSES}:32x6"


def test_measured_and_pseudo_events_never_share_an_action_cluster() -> None:
    rng = np.random.default_rng(0)
    told = []
    for number in range(60):
        model = f"{POSES}:32x6" + PSEUDO * (number % 2)
        told.append(Embedding(f"ev-{number}", "ep-1", Space.ACTION, model, rng.normal(size=8).astype(np.float32)))
        words = rng.normal(size=8).astype(np.float32)
        told.append(Embedding(f"ev-{number}", "ep-1", Space.VISION_LANGUAGE, "joinery-words-v1:4", words))
    models = fit_corpus([told], ClusterSpec(min_cluster=2, k_action=4))
    events = [event(name=f"ev-{number}") for number in range(60)]
    cells = {one.event_id: one.action for one in assign(episode(), events, told, models)}
    of_pseudo = {cell for name, cell in cells.items() if int(name[3:]) % 2}
    of_measured = {cell for name, cell in cells.items() if not int(name[3:]) % 2}
    assert not of_pseudo & of_measured
    assert of_pseudo
    assert of_measured


def test_a_seen_hands_aperture_is_read_without_a_calibration_of_grippers() -> None:
    with_hand = track(arm(PATH, np.linspace(0.2, 1.2, 40), Arm.LEFT))
    assert motions(pseudo(with_hand))[0].vector.shape == motions(with_hand)[0].vector.shape
