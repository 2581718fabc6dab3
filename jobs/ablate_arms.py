"""The arms of an ablation: the base, and for every other level of every factor an arm that differs in it alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from schemas.recipe_ablate import AblateSpec
from schemas.recipe_load import LoadSpec
from trainer.configs import TrainConfig, load_spec

BASE = "base"
_SHARES = {
    "event_suffix": (0.5, 0.5, 0.0),
    "event": (1.0, 0.0, 0.0),
    "suffix": (0.0, 1.0, 0.0),
    "chunk_majority": (0.0, 0.0, 1.0),
    "chunk_global": (0.0, 0.0, 1.0),
}


@dataclass(frozen=True)
class Regime:
    """How a model of an arm is asked when it is judged."""

    length: Literal["verb", "chunk"]
    """``verb``: the usual length of events of the verb, which is a prediction; ``chunk``: the one it was trained on."""
    text: Literal["event", "task"]
    """The caption of the event that is next, or the task's instruction."""


@dataclass(frozen=True)
class Arm:
    """One way of making training windows."""

    name: str
    factor: str
    """In what it differs from the base; empty for the base."""
    levels: dict[str, Any]
    regime: Regime


def arms_of(spec: AblateSpec) -> list[Arm]:
    """The base first."""
    factors = dict(spec.factors.levels())
    base = {name: levels[0] for name, levels in factors.items()}
    arms = [_arm(BASE, "", base)]
    for name, levels in factors.items():
        arms += [_arm(f"{name}={_said(level)}", name, {**base, name: level}) for level in levels[1:]]
    return arms


def load_of(arm: Arm, spec: AblateSpec, config: TrainConfig) -> LoadSpec:
    """The load section an arm trains by; the configuration's seed is that of its windows."""
    levels = arm.levels
    event, suffix, chunk = _SHARES[levels["windows"]]
    caption = "task" if levels["windows"] == "chunk_global" else levels["caption"]
    changes = {
        "event_share": event,
        "suffix_share": suffix,
        "chunk_share": chunk,
        "chunk_frames": spec.chunk_frames,
        "chunk_over": "episode",
        "cells": levels["cells"],
        "jitter_frames": levels["jitter_frames"],
        "recovery_share": levels["recovery_share"],
        "caption": caption,
    }
    return LoadSpec.model_validate({**load_spec(config).model_dump(), **changes})


def _arm(name: str, factor: str, levels: dict[str, Any]) -> Arm:
    windows = levels["windows"]
    by_task = windows == "chunk_global" or levels["caption"] == "task"
    return Arm(
        name,
        factor,
        levels,
        Regime("chunk" if windows.startswith("chunk") else "verb", "task" if by_task else "event"),
    )


def _said(level: object) -> str:
    return "as planned" if level is None else str(level)
