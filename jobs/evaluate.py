"""``joinery evaluate``: lets a trained checkpoint loose in a simulator and says how far its tasks came.

Everything the policy is given it could have in earnest: pictures and measured state of the moment, the text of the next
event, and the usual duration of its verb in the training set, never the true one. Progress is the simulator's word.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import numpy as np

from jobs.environments import TaskEnvironment, openings_of
from jobs.policy import PolicyRequest, open_policy, own_words
from jobs.rollout_film import RolloutFilm
from pipeline.errors import JoineryError
from pipeline.loader.reader import ShardSet
from pipeline.simulators.named import task_named
from trainer.eval.baselines import Idle, Repeat
from trainer.eval.next_in_task import NextInTask
from trainer.eval.progress import Episode, Summary, episode_of, summary_of
from trainer.head_planner import OwnWords
from trainer.inputs import Pretrained
from trainer.policy import Policy, WallWMPolicy
from trainer.rollout import event_rollout

RESULTS, SUMMARY, FILMS = "results.jsonl", "summary.json", "films"
TRAIN = "train"


class Baseline(StrEnum):
    """Policies that need no checkpoint."""

    EXPERT = "expert"
    IDLE = "idle"


@dataclass(frozen=True)
class EvaluateRequest:
    """What to evaluate, where, and how much of it."""

    policy: Path | Baseline
    """A run's folder, one of its checkpoints, or a baseline."""
    shards: str
    simulator: str
    out: Path
    episodes: int = 20
    seed: int = 0
    films: int = 3
    storage: dict[str, str] | None = None
    pretrained: Pretrained = field(default_factory=Pretrained)
    """Folders of the frozen parts the model was trained with."""
    planner: Literal["task", "heads"] = "task"
    """Who says what is next and for how long: the simulator, which knows its task, or the model's own heads."""


@dataclass(frozen=True)
class Evaluated:
    """What it came to, and of what."""

    summary: Summary
    policy: str
    simulator: str
    version: str
    shard_set: str
    out: Path


def evaluate(request: EvaluateRequest, on_episode: Callable[[Episode], None] = lambda _: None) -> Evaluated:
    """Roll out the scenes ``seed`` … ``seed + episodes − 1``. Raises JoineryError for what a user can mend.

    Results stand in ``out`` as episodes end: what was interrupted is worth something too.
    """
    if (request.out / SUMMARY).exists():
        raise JoineryError(f"{request.out / SUMMARY}: an evaluation is there already; choose another --out")
    shards = ShardSet.open(request.shards, request.storage)
    task = task_named(request.simulator)
    episodes: list[Episode] = []
    with closing(TaskEnvironment(task, openings_of(shards, task.source))) as environment:
        task_itself = NextInTask(environment, durations_of(shards, task.source))
        policies = _policies(request, environment)
        request.out.mkdir(parents=True, exist_ok=True)
        with (request.out / RESULTS).open("w", encoding="utf-8") as file:
            for number in range(request.episodes):
                film = request.out / FILMS / f"{request.seed + number:06d}.mp4" if number < request.films else None
                episodes.append(_episode(environment, *next(policies), task_itself, request.seed + number, film))
                file.write(json.dumps(asdict(episodes[-1]), ensure_ascii=False) + "\n")
                file.flush()
                on_episode(episodes[-1])
        found = Evaluated(
            summary=summary_of(episodes),
            policy=str(request.policy),
            simulator=request.simulator,
            version=task.version,
            shard_set=shards.shard_set_id,
            out=request.out,
        )
    _write(found, request, task_itself.durations_s)
    return found


def _episode(  # noqa: PLR0917 - one scene, and everything it takes
    environment: TaskEnvironment,
    policy: Policy,
    own: OwnWords | None,
    task: NextInTask,
    seed: int,
    film_path: Path | None,
) -> Episode:
    environment.reset(seed)
    film = None if film_path is None else RolloutFilm(film_path)
    environment.watch = film
    planner = task if own is None else own.planner(environment.instruction)
    made = event_rollout(policy, planner, environment, seed=seed, max_s=task.patience_s())
    if film is not None:
        film.close()
    return episode_of(environment, made)


def _policies(request: EvaluateRequest, environment: TaskEnvironment) -> Iterator[tuple[Policy, OwnWords | None]]:
    """One per episode, and its own words where these plan; the trained one is always the same."""
    if isinstance(request.policy, Baseline) and request.planner == "heads":
        raise JoineryError(f"--planner heads: {request.policy} is no model and has none; leave it out")
    if request.policy is Baseline.IDLE:
        while True:
            yield Idle(), None
    if request.policy is Baseline.EXPERT:
        while True:
            yield Repeat(environment.demonstration, environment.control_hz), None
    run = PolicyRequest(Path(request.policy), pretrained=request.pretrained)
    policy = policy_for(environment, run, request.seed)
    own = own_words(policy) if request.planner == "heads" else None
    while True:
        yield policy, own


def policy_for(environment: TaskEnvironment, run: PolicyRequest, seed: int = 0) -> WallWMPolicy:
    """A trained model for the environment's body, with its cameras and rate: sources of one body may have others.

    Raises JoineryError for what a user can mend.
    """
    policy = open_policy(replace(run, embodiment=environment.task.embodiment))
    cameras = tuple(environment.reset(seed).pictures)[: policy.config.data.max_views]
    rate = environment.control_hz
    policy.embodiment = replace(policy.embodiment, cameras=cameras, fps=rate, control_hz=rate)
    return policy


def durations_of(shards: ShardSet, source: str) -> dict[str, float]:
    """Median seconds per verb of a source's events in the train split; under "" of all of them."""
    rows = shards.manifest(TRAIN, ["source", "verb", "start_ns", "end_ns"]).to_pylist()
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["source"] == source:
            for verb in ("", row["verb"]):
                found.setdefault(verb, []).append((row["end_ns"] - row["start_ns"]) / 1e9)
    if not found:
        raise JoineryError(f"shard set {shards.shard_set_id}: no event of source {source!r} in its train split")
    return {verb: float(np.median(seconds)) for verb, seconds in sorted(found.items())}


def _write(found: Evaluated, request: EvaluateRequest, durations_s: Mapping[str, float]) -> None:
    said: dict[str, Any] = asdict(found) | {"out": str(found.out), "seed": request.seed, "durations_s": durations_s}
    text = json.dumps(said, indent=1, ensure_ascii=False) + "\n"
    (request.out / SUMMARY).write_text(text, encoding="utf-8")
