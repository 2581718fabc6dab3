"""The action track of an RLDS episode: which features are states and commands.

``observation/…`` features are states and ``action``, ``action/…``, ``action_dict/…`` commands, so that DROID's
``observation/joint_position`` and ``action_dict/joint_position`` stand in one column. Embeddings, rewards and tables
larger than any joint vector are no control.
"""

import numpy as np

from pipeline.sources.rlds.rlds_features import Feature, FeatureKind
from pipeline.sources.rlds.rlds_steps import Steps
from pipeline.sources.tabular_actions import Control, Native, element_names, tabular_track, unique_names
from schemas.array import Floats
from schemas.episode import ActionTrack
from schemas.finding import Finding
from schemas.recipe_formats.rlds import RldsSource
from schemas.source import EpisodeRef

_STATE, _TARGET = ("observation",), ("action", "action_dict")
_MAX_WIDTH = 64
_NO_CONTROL = ("embedding", "instruction", "image", "depth", "timestamp")
"""Words in the names of features that are numbers and no control."""


def action_track(ref: EpisodeRef, spec: RldsSource, steps: Steps) -> tuple[ActionTrack | None, list[Finding]]:
    """Everything the record says about control, and findings. Raises SourceError where the recipe does not fit."""
    control = Control(
        where=steps.where,
        times_ns=steps.edges_ns[:-1],
        period_s=1.0 / steps.fps,
        numbers=steps.numbers,
        state=_native(steps, _STATE),
        target=_native(steps, _TARGET),
    )
    return tabular_track(ref, control, state=spec.state, target=spec.target, commands=spec.commands, frame=spec.frame)


def is_control(name: str, feature: Feature) -> bool:
    """Whether a feature of the steps is a native state or command."""
    return (
        name.partition("/")[0] in (*_STATE, *_TARGET)
        and feature.kind is FeatureKind.NUMBER
        and 0 < feature.size <= _MAX_WIDTH
        and not any(word in name for word in _NO_CONTROL)
    )


def _native(steps: Steps, folders: tuple[str, ...]) -> Native:
    columns = [
        name
        for name, feature in steps.features.items()
        if is_control(name, feature) and name.partition("/")[0] in folders and steps.has(name)
    ]
    names: list[str] = []
    parts: list[Floats] = [np.zeros((steps.n_steps, 0))]
    for column in columns:
        values = steps.numbers(column)
        names += element_names(column.partition("/")[2], [], values.shape[1])
        parts.append(values)
    return Native(unique_names(names), np.concatenate(parts, axis=1), columns)
