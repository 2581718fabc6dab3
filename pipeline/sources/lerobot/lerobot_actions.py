"""Which columns of a LeRobot table are states and commands, and what is odd about them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.lerobot.lerobot_rows import Rows, is_numeric
from pipeline.sources.reference import about_episode
from pipeline.sources.tabular_actions import Control, Native, element_names, tabular_track, unique_names
from schemas.episode import ActionTrack
from schemas.finding import Finding
from schemas.recipe_formats.lerobot import LeRobotSource
from schemas.source import EpisodeRef

_STATE, _TARGET = "observation.state", "action"
_VECTOR_WORDS = ("joint", "cartesian", "pose", "eef")
"""Words in a column's name that promise several numbers per row."""


def action_track(
    ref: EpisodeRef, spec: LeRobotSource, dataset: Mapping[str, Any], rows: Rows
) -> tuple[ActionTrack | None, list[Finding]]:
    """Everything the table says about control, and findings; None when it says nothing.

    Raises SourceError when a column's width is not what ``info.json`` or the recipe says.
    """
    state, target = (_native(rows, dataset, prefix) for prefix in (_STATE, _TARGET))
    control = Control(rows.where, rows.times_ns, 1.0 / float(dataset["fps"]), rows.numbers, state, target)
    track, findings = tabular_track(
        ref, control, state=spec.state, target=spec.target, commands=spec.commands, frame=spec.frame
    )
    if track is not None:
        findings += _native_findings(ref, rows, dataset, [*state.columns, *target.columns])
    return track, findings


def _native(rows: Rows, dataset: Mapping[str, Any], prefix: str) -> Native:
    """All numeric columns named ``prefix`` or below it, in the table's order."""
    columns = [
        field.name
        for field in rows.table.schema
        if (field.name == prefix or field.name.startswith(f"{prefix}.")) and is_numeric(field.type)
    ]
    names: list[str] = []
    parts = [np.zeros((rows.table.num_rows, 0))]
    for column in columns:
        values = rows.numbers(column)
        feature = dataset["features"].get(column, {})
        _check_width(rows, column, values.shape[1], feature.get("shape"))
        names += element_names(column[len(prefix) :].lstrip("."), _flatten(feature.get("names")), values.shape[1])
        parts.append(values)
    return Native(unique_names(names), np.concatenate(parts, axis=1), columns)


def _check_width(rows: Rows, column: str, width: int, shape: list[int] | None) -> None:
    """A scalar column may have lost its shape; a vector of another width is another vector."""
    if width > 1 and shape and int(np.prod(shape)) != width:
        raise SourceError(
            f"{rows.where}: {column} has {width} values per row, info.json says {shape}; the dataset's metadata is "
            "stale: correct one of them"
        )


def _flatten(names: object) -> list[str]:
    """The names a feature gives its elements: a list, a list in a list, or a mapping to lists or to positions."""
    if isinstance(names, Mapping):
        if names and all(isinstance(value, int) for value in names.values()):
            return sorted(map(str, names), key=lambda name: names[name])
        return [name for value in names.values() for name in _flatten(value)]
    if isinstance(names, list):
        return [name for value in names for name in _flatten(value)]
    return [names] if isinstance(names, str) else []


def _native_findings(ref: EpisodeRef, rows: Rows, dataset: Mapping[str, Any], columns: list[str]) -> list[Finding]:
    """Vectors that were collapsed to one number, and grippers that never move."""
    findings = []
    for column in columns:
        values, leaf = rows.numbers(column), column.lower()
        shape = dataset["features"].get(column, {}).get("shape")
        promised = int(np.prod(shape)) if shape else 1
        if values.shape[1] == 1 and (promised > 1 or (shape == [] and any(word in leaf for word in _VECTOR_WORDS))):
            message = (
                f"{column} holds one number per row although its name promises several; it was collapsed before us"
            )
            findings.append(about_episode(ref, "scalar_collapsed", message, value=1))
        finite = values[np.isfinite(values)]
        if "gripper" in leaf and finite.size and np.ptp(values, axis=0).max() == 0:
            message = f"{column} is {finite[0]:g} in every row; it says nothing about the gripper"
            findings.append(about_episode(ref, "gripper_constant", message, value=float(finite[0])))
    return findings
