"""The action track of any tabular format: arms as the recipe maps them, native columns beside them, commands made
absolute. What a format's columns are called and which of them are states or commands stays with the format.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.sources.arm_columns import Mapped, Scale, map_arms
from pipeline.sources.reference import about_episode
from pipeline.sources.steps import absolute_targets
from schemas.array import Bools, Floats, Ints
from schemas.episode import ActionKind, ActionTrack, CommandMode
from schemas.finding import Finding
from schemas.recipe_columns import ArmColumns
from schemas.recipe_commands import Commands
from schemas.source import EpisodeRef


@dataclass(frozen=True, eq=False)
class Native:
    """Native columns side by side: names [J], values float64 [T, J], and the columns they come from."""

    names: list[str]
    values: Floats
    columns: list[str]


@dataclass(frozen=True, eq=False)
class Control:
    """The rows of one episode, whatever they were kept in."""

    where: str
    """Of the file, for messages."""
    times_ns: Ints
    period_s: float
    """What a velocity is multiplied by to make a step."""
    numbers: Callable[[str], Floats]
    """A column by name, float64 [T, W]. Raises SourceError when there is none."""
    state: Native
    target: Native

    @property
    def n_rows(self) -> int:
        return len(self.times_ns)


def tabular_track(
    ref: EpisodeRef,
    control: Control,
    *,
    state: Sequence[ArmColumns],
    target: Sequence[ArmColumns],
    commands: Commands | None,
    frame: str,
) -> tuple[ActionTrack | None, list[Finding]]:
    """Everything the rows say about control, and findings; None when they say nothing.

    Raises SourceError when a column is not what the recipe says.
    """
    measured = map_arms(state, control.n_rows, control.numbers, control.where)
    commanded = map_arms(target, control.n_rows, control.numbers, control.where, _scale(commands, control.period_s))
    names = [*control.state.names, *(name for name in control.target.names if name not in set(control.state.names))]
    if not (measured.arms or commanded.arms or names):
        return None, []
    findings = [
        about_episode(ref, check, message, value)
        for check, message, value in dict.fromkeys([*measured.remarks, *commanded.remarks])
    ]
    valid = measured.valid & commanded.valid
    if not (measured.arms or commanded.arms):
        valid = _all_finite(control.state if control.state.names else control.target)
    if not valid.all():
        bad = int(np.count_nonzero(~valid))
        findings.append(about_episode(ref, "rows_not_finite", f"{bad} rows hold no number somewhere", bad, 0))
    arms = commanded.arms
    if commands is not None and commands.are_steps:
        arms = absolute_targets(measured.arms, arms, in_tool_frame=commands.frame == "tool")
    track = ActionTrack(
        episode_id=ref.episode_id,
        kind=ActionKind.MEASURED,
        provenance="; ".join(_provenance(measured, commanded, commands)) or "native columns only",
        times_ns=control.times_ns,
        valid=valid,
        state=measured.arms,
        target=arms,
        joint_names=tuple(names),
        joint_state=_spread(control.state, names),
        joint_target=_spread(control.target, names),
        frame=frame,
        commands=None if commands is None else commands.semantics,
    )
    return track, findings


def _scale(commands: Commands | None, period_s: float) -> Scale:
    if commands is None or not commands.are_steps:
        return Scale()
    lasting = period_s if commands.mode is CommandMode.VELOCITY else 1.0
    return Scale(lasting, lasting * commands.rotation_scale)


def _provenance(measured: Mapped, commanded: Mapped, commands: Commands | None) -> Iterator[str]:
    yield from (f"state {text}" for text in measured.provenance)
    yield from (f"target {text}" for text in commanded.provenance)
    if commands is not None and commands.are_steps and any(arm.position is not None for arm in commanded.arms):
        yield f"{commands.mode} in the {commands.frame} frame, added to the state of its row"


def _all_finite(native: Native) -> Bools:
    return np.asarray(np.isfinite(native.values).all(axis=1))


def _spread(native: Native, names: Sequence[str]) -> Floats | None:
    """The columns in the track's common order, float32 [T·J]; NaN in columns that this side does not have."""
    if not native.names:
        return None
    place = {name: position for position, name in enumerate(names)}
    spread = np.full((len(native.values), len(names)), np.nan, np.float32)
    spread[:, [place[name] for name in native.names]] = native.values
    return spread.reshape(-1)


def element_names(leaf: str, stated: Sequence[str], width: int) -> list[str]:
    """Names for a column's elements: those the source states where they fit, else positions.

    Positions carry the width: the third of 7 and the third of 8 are different joints.
    """
    names = list(stated)
    if len(names) != width:
        names = [""] if width == 1 else [f"{position}/{width}" for position in range(width)]
    return [".".join(part for part in (leaf, name) if part) or "value" for name in names]


def unique_names(names: list[str]) -> list[str]:
    """The names, told apart by position where some repeat."""
    return names if len(set(names)) == len(names) else [f"{name}#{position}" for position, name in enumerate(names)]
