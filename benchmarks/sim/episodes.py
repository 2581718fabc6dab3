"""Episodes by task and seed, each made in a process of its own."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.sim.recordings import Measurement, generator, record, write_index
from benchmarks.sim.tasks import Simulator, Task
from pipeline.errors import JoineryError
from schemas.truth import TruthEpisode


def make_episode(out: Path, task: Task, seed: int, measurement: Measurement) -> TruthEpisode:
    """Perform and record one episode."""
    os.environ.setdefault("MUJOCO_GL", "egl")  # before any simulator is imported: nobody looks at a window here
    if task.simulator is Simulator.METAWORLD:
        from benchmarks.sim.metaworld_expert import perform  # noqa: PLC0415 - only where the simulators are
    else:
        from benchmarks.sim.robosuite_expert import perform  # noqa: PLC0415
    performance = perform(task, seed, generator(task, seed, purpose=0), measurement.size)
    return record(out, performance, measurement)


def make(out: Path, tasks: list[Task], seeds: list[int], measurement: Measurement, jobs: int) -> list[TruthEpisode]:
    """Every episode in a process of its own: one renderer each, and nothing left over from the one before."""
    if out.exists() and any(out.iterdir()):
        raise JoineryError(f"{out}: is not empty; name a new folder, or delete what is there")
    out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(jobs, get_context("spawn"), max_tasks_per_child=1) as pool:
        waiting = [pool.submit(make_episode, out, task, seed, measurement) for task in tasks for seed in seeds]
        truths = [future.result() for future in waiting]
    write_index(out, measurement, truths)
    return truths
