"""Letting the models of an ablation loose in the bundled simulator, each asked as it was trained.

The length of what is asked for is known before anything moves: the median of the next event's verb in the training
set, or the arm's own chunk. How long an event will truly take is nowhere to be read, since a scene is drawn from a seed
and nobody has acted in it. Scenes depend on the seed and on nothing of the arm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.ablate import Cell
from jobs.ablate_arms import Regime
from jobs.ablate_summary import Row
from jobs.environments import TaskEnvironment, openings_of
from jobs.evaluate import durations_of, policy_for
from jobs.policy import PolicyRequest
from pipeline.loader.reader import ShardSet
from pipeline.simulators.named import task_named
from schemas.identity import digest
from schemas.recipe_ablate import AblateSpec
from trainer.eval.environment import Environment
from trainer.eval.next_in_task import NextInTask
from trainer.next_event import NextEvent, PastEvent, Planner
from trainer.policy import Observation, WallWMPolicy
from trainer.rollout import event_rollout

_SCENE_BITS = 31


class SimulatorJudge:
    """Scenes of one of the tasks `joinery evaluate` knows."""

    def __init__(self, shards: str, simulator: str, storage: dict[str, str] | None = None) -> None:
        """Raises JoineryError for a task that is none, or of a source the shard set has nothing of."""
        opened = ShardSet.open(shards, storage)
        self._task = task_named(simulator)
        self._environment = TaskEnvironment(self._task, openings_of(opened, self._task.source))
        self._durations_s = durations_of(opened, self._task.source)

    @property
    def version(self) -> str:
        return self._task.version

    def rows(self, checkpoint: Path, cell: Cell, spec: AblateSpec) -> Iterator[Row]:
        """One per episode."""
        policy = policy_for(self._environment, PolicyRequest(checkpoint, device="cpu"))
        yield from rows_in(self._environment, policy, self._durations_s, cell, spec)

    def close(self) -> None:
        """Let go of the simulator."""
        self._environment.close()


def rows_in(
    environment: Environment, policy: WallWMPolicy, durations_s: Mapping[str, float], cell: Cell, spec: AblateSpec
) -> Iterator[Row]:
    """A row per episode; ``durations_s`` are the usual ones of verbs, ``""`` of any."""
    plan = planner_of(cell.arm.regime, environment, durations_s, spec.chunk_frames / policy.embodiment.fps)
    for episode in range(spec.judged.episodes):
        scene = scene_of(spec.judged.seed, cell.seed, episode)
        found = event_rollout(policy, plan, environment, seed=scene, max_s=spec.judged.limit_s)
        yield Row(
            arm=cell.arm.name,
            seed=cell.seed,
            episode=episode,
            scene=scene,
            progress=found.progress,
            success=environment.success,
            steps=found.ticks,
            turns=len(found.acts),
        )


def scene_of(judged_seed: int, seed: int, episode: int) -> int:
    """The scene of an episode: of the seeds alone, so every arm meets the same one."""
    return int(digest("ablate-scene", str(judged_seed), str(seed), str(episode))[:16], 16) % (1 << _SCENE_BITS)


def planner_of(regime: Regime, environment: Environment, durations_s: Mapping[str, float], chunk_s: float) -> Planner:
    """Who decides what is asked for and for how long."""
    return _AsTrained(NextInTask(environment, durations_s), environment, regime, chunk_s)


@dataclass(frozen=True)
class _AsTrained:
    """What comes next in the task, under other words or for another time where the arm was trained so."""

    task: NextInTask
    environment: Environment
    regime: Regime
    chunk_s: float

    def next(self, observation: Observation, history: Sequence[PastEvent]) -> NextEvent | None:
        """Asked before every turn."""
        event = self.task.next(observation, history)
        if event is None:
            return None
        return NextEvent(
            self.environment.instruction if self.regime.text == "task" else event.text,
            self.chunk_s if self.regime.length == "chunk" else event.duration_s,
        )
