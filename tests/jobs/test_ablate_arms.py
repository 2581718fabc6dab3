"""Arms: each differs from the base in one factor, in training and in nothing else."""

import pytest

from jobs.ablate_arms import BASE, Regime, arms_of, load_of
from schemas.recipe_ablate import AblateSpec
from trainer.configs import load_spec, tiny

SPEC = AblateSpec(ablate=1, shards="shards", chunk_frames=21)


def test_arms_are_the_base_and_every_other_level_of_every_factor() -> None:
    names = [arm.name for arm in arms_of(SPEC)]
    assert names == [
        BASE, "windows=event", "windows=suffix", "windows=chunk_majority", "windows=chunk_global", "cells=natural",
        "jitter_frames=2", "jitter_frames=5", "jitter_frames=10", "caption=task", "caption=subtask", "caption=segment",
        "recovery_share=0.0", "recovery_share=0.5",
    ]  # fmt: skip


def test_an_arm_differs_from_the_base_in_its_factor_alone() -> None:
    base, *others = arms_of(SPEC)
    assert base.factor == ""
    for arm in others:
        assert [name for name in base.levels if arm.levels[name] != base.levels[name]] == [arm.factor]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (BASE, {"event_share": 0.5, "suffix_share": 0.5}),
        ("windows=event", {"event_share": 1.0, "suffix_share": 0.0}),
        ("windows=suffix", {"event_share": 0.0, "suffix_share": 1.0}),
        ("windows=chunk_majority", {"event_share": 0.0, "suffix_share": 0.0, "chunk_share": 1.0}),
        ("windows=chunk_global", {"event_share": 0.0, "suffix_share": 0.0, "chunk_share": 1.0, "caption": "task"}),
        ("cells=natural", {"cells": "natural"}),
        ("jitter_frames=5", {"jitter_frames": 5}),
        ("caption=segment", {"caption": "segment"}),
        ("recovery_share=0.5", {"recovery_share": 0.5}),
    ],
)
def test_load_sections_say_what_arms_are(name: str, changes: dict[str, object]) -> None:
    arm = next(arm for arm in arms_of(SPEC) if arm.name == name)
    own = load_spec(tiny()).model_dump() | {"chunk_frames": 21, "chunk_over": "episode"} | changes
    assert load_of(arm, SPEC, tiny()).model_dump() == own


def test_models_are_asked_as_they_were_trained() -> None:
    regimes = {arm.name: arm.regime for arm in arms_of(SPEC)}
    assert regimes[BASE] == regimes["jitter_frames=10"] == regimes["caption=segment"] == Regime("verb", "event")
    assert regimes["windows=chunk_majority"] == Regime("chunk", "event")
    assert regimes["windows=chunk_global"] == Regime("chunk", "task")
    assert regimes["caption=task"] == Regime("verb", "task")
