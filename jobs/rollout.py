"""``joinery recover rollout``: every start of a collection plan in a simulator, recorded as sources of their own.

Reads only the plan's folder, no workspace, so that it runs in the simulator's environment or on another machine. What
is recorded is not done again: a rollout that was stopped goes on, and one of a plan that has grown does what is new.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.errors import JoineryError
from pipeline.recovery.demonstration import Demonstration, to_npz
from pipeline.recovery.folder import load_demonstration, load_plan, write
from pipeline.recovery.page import rollout_page
from pipeline.recovery.rollout import UnreachableStartError, roll_out
from pipeline.recovery.simulator import SceneError, Simulator, simulator_named
from schemas.recording import RECORDING
from schemas.recovery_plan import (
    PROVENANCE,
    RECIPE,
    RECORDINGS,
    RESULTS,
    ROLLOUT_PAGE,
    CollectionPlan,
    ParentSource,
    PlannedEvent,
    RolloutProvenance,
    RolloutResult,
    RolloutStatus,
    Start,
    StartKind,
)
from schemas.source import SourceKind

_LONGEST_NAME = 64
_KINDS = {
    StartKind.PERTURBED: ("recovery", SourceKind.RECOVERY),
    StartKind.NOMINAL: ("repeated", SourceKind.SELF_COLLECTED),
}
"""What the recordings of a start are called in a recipe, and are: without a perturbation nothing is recovered from."""


@dataclass(frozen=True, eq=False)
class _Rollout:
    """One plan, one simulator, one folder."""

    plan: CollectionPlan
    folder: Path
    out: Path
    name: str
    simulator: Simulator

    @property
    def version(self) -> str:
        return self.simulator.version


def roll_out_plan(
    path: Path, simulator: str, out: Path, on_result: Callable[[RolloutResult, int], None] | None = None
) -> list[RolloutResult]:
    """Every start of a plan, recorded below ``out``, with results, a page and a recipe; one result per start.

    ``on_result`` hears each result and how many there will be. What is done when it is interrupted is written as well.

    Raises JoineryError when there is no such plan or simulator, or ``out`` holds recordings of another simulator.
    """
    plan, folder = load_plan(path)
    rollout = _Rollout(plan, folder, out, simulator, simulator_named(simulator))
    _check_no_strangers(rollout)
    todo: list[tuple[PlannedEvent, Start | None]] = []
    for event in plan.events:
        todo += [(event, start) for start in event.starts] or [(event, None)]
    results: list[RolloutResult] = []
    try:
        for event, start in todo:
            results.append(_result_of(rollout, event, start))
            if on_result is not None:
                on_result(results[-1], len(todo))
    finally:
        _write_results(rollout, results)
    return results


def _write_results(rollout: _Rollout, results: Sequence[RolloutResult]) -> None:
    plan, out = rollout.plan, rollout.out
    lines = "".join(f"{result.model_dump_json()}\n" for result in results)
    write(out / RESULTS, lines.encode())
    write(out / ROLLOUT_PAGE, rollout_page(plan.plan_id, f"{rollout.name} ({rollout.version})", results).encode())
    if any(result.recording for result in results):
        write(out / RECIPE, recipe_text(plan, results).encode())


def _result_of(rollout: _Rollout, event: PlannedEvent, start: Start | None) -> RolloutResult:
    """What became of one start; whatever is wrong with it is a result too."""
    problem = event.problem or (start.problem if start is not None else "it has no starts")
    if start is None or problem:
        return _result(event, start, RolloutStatus.UNUSABLE, problem)
    below = f"{RECORDINGS}/{event.source}/{start.kind}/{start.start_id}"
    try:
        demonstration = load_demonstration(rollout.folder, event)
    except JoineryError as error:
        return _result(event, start, RolloutStatus.UNUSABLE, str(error))
    repeated = _repeated(event, demonstration)
    known = _known(rollout, below, repeated)
    if known is not None:
        return known
    try:
        with closing(rollout.simulator.scene(event)) as scene:
            outcome = roll_out(event, start, demonstration, scene, rollout.out / below)
    except SceneError as error:
        return _result(event, start, RolloutStatus.NO_SCENE, str(error))
    except UnreachableStartError as error:
        return _result(event, start, RolloutStatus.UNREACHABLE, str(error))
    said = {"recovered": outcome.recovered, "success": outcome.success, "recording": below}
    result = _result(event, start, RolloutStatus.RECORDED, outcome.reason).model_copy(update=said)
    provenance = RolloutProvenance(
        plan_id=rollout.plan.plan_id,
        simulator=rollout.name,
        simulator_version=rollout.version,
        start_seed=start.seed,
        repeated=repeated,
        result=result,
    )
    write(rollout.out / below / PROVENANCE, (provenance.model_dump_json(indent=1) + "\n").encode())
    return result


def _result(event: PlannedEvent, start: Start | None, status: RolloutStatus, reason: str) -> RolloutResult:
    return RolloutResult(
        start_id="" if start is None else start.start_id,
        event_id=event.event_id,
        episode_id=event.episode_id,
        source=event.source,
        verb=event.verb,
        kind=None if start is None else start.kind,
        distance_m=None if start is None else start.distance_m,
        angle_rad=None if start is None else start.angle_rad,
        status=status,
        reason=reason,
    )


def _repeated(event: PlannedEvent, demonstration: Demonstration) -> str:
    """What a rollout depends on besides its start: another scene or demonstration makes another recording."""
    scene = f"{event.scene_ns}:{event.opening}:{event.scene.locator}:{event.scene.row}".encode()
    return hashlib.sha256(scene + to_npz(demonstration)).hexdigest()


def _known(rollout: _Rollout, below: str, repeated: str) -> RolloutResult | None:
    """The result of a start that is recorded; one that a rollout was killed in, or that is of another scene or
    demonstration, is removed and recorded again.
    """
    folder = rollout.out / below
    if not (folder / PROVENANCE).is_file() or not (folder / RECORDING).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        return None
    try:
        known = RolloutProvenance.model_validate_json((folder / PROVENANCE).read_bytes())
    except ValidationError as error:
        raise JoineryError(f"{folder / PROVENANCE}: is not what a rollout writes; remove {folder}") from error
    if (known.simulator, known.simulator_version) != (rollout.name, rollout.version):
        found = f"{known.simulator} ({known.simulator_version})"
        raise JoineryError(
            f"{folder}: was recorded in {found}, not {rollout.name} ({rollout.version}); name another --out"
        )
    if known.repeated != repeated:
        shutil.rmtree(folder)
        return None
    return known.result


def _check_no_strangers(rollout: _Rollout) -> None:
    """Raises JoineryError when the folder holds recordings of starts this plan does not have: they would be used."""
    planned = {(event.source, start.start_id) for event in rollout.plan.events for start in event.usable}
    below = rollout.out / RECORDINGS
    for folder in sorted(path.parent for path in below.glob(f"*/*/*/{RECORDING}")):
        if (folder.parts[-3], folder.name) not in planned:
            raise JoineryError(
                f"{folder}: is of a start that this plan does not have, and the recipe would use it; "
                "name another --out, or remove it"
            )


# -- the recipe ------------------------------------------------------------------------------------------------------


def recipe_text(plan: CollectionPlan, results: Sequence[RolloutResult]) -> str:
    """A recipe of what was recorded: run it, or copy its sources into another."""
    recorded = {(result.source, result.kind) for result in results if result.recording and result.kind}
    sources = [
        _source(parent, kind) for parent in plan.sources for kind in StartKind if (parent.name, kind) in recorded
    ]
    exact = {"correct": False, "on_rejected": "keep"}
    document = {"joinery": 1, "workspace": {"url": "workspace"}, "sources": sources, "align": exact}
    said = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
    return (
        f"# Recoveries of collection plan {plan.plan_id}, made by `joinery recover rollout`.\n"
        "# To train on them beside their parents, copy the sources into the parents' recipe. Rights and consent are\n"
        f"# those of the parents. A simulator's clock is exact: sync tells, but moves nothing (`align`).\n{said}"
    )


def _source(parent: ParentSource, kind: StartKind) -> dict[str, Any]:
    """A source of a recipe; its card is the parent's, with a title that says what was made of it."""
    called, source_kind = _KINDS[kind]
    card = parent.card.model_dump(mode="json", exclude_defaults=True)
    card["title"] = f"{parent.card.title or parent.name}: {called} in simulation from its contacts"
    return {
        "format": "self_collected",
        "name": f"{parent.name[: _LONGEST_NAME - len(called) - 1]}_{called}",
        "path": f"{RECORDINGS}/{parent.name}/{kind}",
        "kind": source_kind.value,
        "protocol": parent.protocol.value,
        "card": card,
    }
