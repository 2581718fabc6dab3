"""The action track of a LeRobot episode: arms as the recipe maps them, native columns as the dataset has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.arm_columns import map_arms
from pipeline.sources.lerobot_rows import Rows, is_numeric
from pipeline.sources.reference import about_episode
from schemas.array import Bools, Floats
from schemas.episode import ActionKind, ActionTrack
from schemas.finding import Finding
from schemas.recipe_formats.lerobot import LeRobotSource
from schemas.source import EpisodeRef

_STATE, _TARGET = "observation.state", "action"
_VECTOR_WORDS = ("joint", "cartesian", "pose", "eef")
"""Words in a column's name that promise several numbers per row."""


@dataclass(frozen=True, eq=False)
class Native:
    """Native columns side by side: names [J], values float64 [T, J], and the columns they come from."""

    names: list[str]
    values: Floats
    columns: list[str]


def action_track(
    ref: EpisodeRef, spec: LeRobotSource, dataset: Mapping[str, Any], rows: Rows
) -> tuple[ActionTrack | None, list[Finding]]:
    """Everything the table says about control, and findings; None when it says nothing.

    Raises SourceError when a column's width is not what ``info.json`` or the recipe says.
    """
    state = map_arms(spec.state, rows.table.num_rows, rows.numbers, rows.where)
    target = map_arms(spec.target, rows.table.num_rows, rows.numbers, rows.where)
    native_state, native_target = (_native(rows, dataset, prefix) for prefix in (_STATE, _TARGET))
    if not (state.arms or target.arms or native_state.names or native_target.names):
        return None, []
    findings = [
        about_episode(ref, check, message, value)
        for check, message, value in dict.fromkeys([*state.remarks, *target.remarks])
    ]
    findings += _native_findings(ref, rows, dataset, [*native_state.columns, *native_target.columns])
    names = native_state.names or native_target.names
    if unmatched := [name for name in native_target.names if name not in names]:
        message = f"the command columns {unmatched} have no state column of that name; only what `target` maps is kept"
        findings.append(about_episode(ref, "command_unmatched", message, value=len(unmatched), threshold=0))
    valid: Bools = state.valid & target.valid
    if not (state.arms or target.arms):
        valid &= np.isfinite((native_state if native_state.names else native_target).values).all(axis=1)
    if not valid.all():
        bad = int(np.count_nonzero(~valid))
        findings.append(about_episode(ref, "rows_not_finite", f"{bad} rows hold no number somewhere", bad, 0))
    track = ActionTrack(
        episode_id=ref.episode_id,
        kind=ActionKind.MEASURED,
        provenance="; ".join(
            [*(f"state {text}" for text in state.provenance), *(f"target {text}" for text in target.provenance)]
            or ["native columns only"]
        ),
        times_ns=rows.times_ns,
        valid=valid,
        state=state.arms,
        target=target.arms,
        joint_names=tuple(names),
        joint_state=_spread(native_state, names),
        joint_target=_spread(native_target, names),
    )
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
        leaf = column[len(prefix) :].lstrip(".")
        elements = _flatten(feature.get("names"))
        if len(elements) != values.shape[1]:
            elements = _positions(values.shape[1])
        names += [_join(leaf, name) for name in elements]
        parts.append(values)
    if len(set(names)) != len(names):
        names = [f"{name}#{position}" for position, name in enumerate(names)]
    return Native(names, np.concatenate(parts, axis=1), columns)


def _check_width(rows: Rows, column: str, width: int, shape: list[int] | None) -> None:
    """A scalar column may have lost its shape; a vector of another width is another vector."""
    if width > 1 and shape and int(np.prod(shape)) != width:
        raise SourceError(
            f"{rows.where}: {column} has {width} values per row, info.json says {shape}; the dataset's metadata is "
            "stale: correct one of them"
        )


def _positions(width: int) -> list[str]:
    """Names for elements without one. They carry the width: the third of 7 and the third of 8 are different joints."""
    return [""] if width == 1 else [f"{position}/{width}" for position in range(width)]


def _flatten(names: object) -> list[str]:
    """The names a feature gives its elements: a list, a list in a list, or a mapping to lists or to positions."""
    if isinstance(names, Mapping):
        if names and all(isinstance(value, int) for value in names.values()):
            return sorted(map(str, names), key=lambda name: names[name])
        return [name for value in names.values() for name in _flatten(value)]
    if isinstance(names, list):
        return [name for value in names for name in _flatten(value)]
    return [names] if isinstance(names, str) else []


def _join(leaf: str, name: str) -> str:
    return ".".join(part for part in (leaf, name) if part) or "value"


def _spread(native: Native, names: list[str]) -> Floats | None:
    """The columns in the track's common order, float32 [T·J]; NaN where a command has no such column."""
    common = [position for position, name in enumerate(native.names) if name in names]
    if not common:
        return None
    spread = np.full((len(native.values), len(names)), np.nan, np.float32)
    spread[:, [names.index(native.names[position]) for position in common]] = native.values[:, common]
    return spread.reshape(-1)


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
