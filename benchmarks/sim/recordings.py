"""Performances as recordings of one's own, with `truth.json` and a recipe beside them (docs/sim_truth.md).

Everything a reader or detector sees is noisy and may lag; the truth never is. Pictures keep the clock the truth is on,
a lag moves the rows.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from benchmarks.sim.boundaries import Trace, boundaries_of, phases_of
from benchmarks.sim.performance import Performance
from benchmarks.sim.tasks import DEVELOPMENT, Task, split_of
from pipeline.recorder import EpisodeRecorder
from pipeline.synthetic.truth_file import write_truth
from schemas.array import Floats
from schemas.episode import Arm
from schemas.recording import Recording
from schemas.time import NS_PER_S
from schemas.truth import TruthEpisode

LAGS_MS = (0, 50, -50, 100, -100, 250, -250)
"""The ladder of `--lag ladder`, climbed by seed."""
NOISE_M, NOISE_OPENING = 0.001, 0.005
TRUTH, RECIPE = "truth.json", "recipe.yaml"
ARM = Arm.RIGHT
_DRAWN, _GRAIN = 64, 12


@dataclass(frozen=True)
class Measurement:
    """How the exact becomes a recording."""

    noise: bool = True
    """White noise of 1 mm and of 0.5 % of the opening."""
    lag_ms: int | None = 0
    """How much later rows are stamped than pictures; None for the ladder."""
    size: int | None = 128
    """Side of the pictures; None for a small drawing that needs no renderer."""

    def lag_ns(self, seed: int) -> int:
        """An episode's own lag. On the ladder each step stands once among tuned and once among held-out seeds."""
        ms = self.lag_ms if self.lag_ms is not None else LAGS_MS[seed // 2 % len(LAGS_MS)]
        return ms * NS_PER_S // 1000


def generator(task: Task, seed: int, purpose: int) -> np.random.Generator:
    """Randomness that belongs to one episode and one purpose alone."""
    return np.random.default_rng([seed, list(DEVELOPMENT).index(task.name), purpose])


def folder_of(task: Task, seed: int) -> str:
    """Where a recording lies below its source, which is also its locator."""
    return f"{task.name}/{seed:04d}"


def record(out: Path, performance: Performance, measurement: Measurement) -> TruthEpisode:
    """Write one recording below ``out``; what is true of it."""
    task, seed = performance.task, performance.seed
    folder = out / task.simulator / folder_of(task, seed)
    trace, lag_ns = performance.trace(), measurement.lag_ns(seed)
    position, width = _measured(performance, measurement)
    with EpisodeRecorder(folder, _recording(performance)) as recorder:
        for k, step in enumerate(performance.steps):
            shown = drawing(trace, k) if step.picture is None else step.picture
            recorder.picture("front", shown, trace.time_ns(k))
            recorder.row(
                trace.time_ns(k) + lag_ns,
                tool_position=position[k],
                tool_quaternion=Rotation.from_matrix(step.rotation).as_quat(),
                gripper_m=width[k],
                joint_position=step.joints,
                target_position=step.target,
                target_gripper_m=step.target_width_m,
                control_mode="script",
            )
    return TruthEpisode(source=task.simulator, locator=folder_of(task, seed), **truth_of(performance, lag_ns))


def truth_of(performance: Performance, lag_ns: int) -> dict[str, Any]:
    """An episode's entry in the shape of the demo corpus, and which task, seed and split it is of."""
    trace = performance.trace()
    marks = boundaries_of(trace)
    return {
        "rate_hz": round(trace.rate_hz),
        "n_frames": trace.n,
        "instruction": performance.task.instruction,
        "success": performance.success,
        "boundaries": [
            {"kind": mark.kind.value, "t_ns": trace.time_ns(mark.frame), "arm": ARM.value, "item": mark.item}
            for mark in marks
        ],
        "phases": [
            {
                "phase": span.phase.value,
                "arm": ARM.value,
                "start_ns": trace.time_ns(span.start),
                "end_ns": trace.time_ns(span.end),
            }
            for span in phases_of(trace, marks)
        ],
        "action_lag_ns": lag_ns,
        "defect": None,
        "task": performance.task.name,
        "seed": performance.seed,
        "split": split_of(performance.seed).value,
        "made_with": performance.versions,
    }


def _measured(performance: Performance, measurement: Measurement) -> tuple[Floats, Floats]:
    position, width = performance.column("tool"), performance.column("width_m")
    if not measurement.noise:
        return position, width
    rng = generator(performance.task, performance.seed, purpose=1)
    noisy = position + rng.normal(0.0, NOISE_M, position.shape)
    return noisy, width + rng.normal(0.0, NOISE_OPENING * (performance.open_m - performance.closed_m), width.shape)


def _recording(performance: Performance) -> Recording:
    def arm(prefix: str) -> dict[str, Any]:
        opening = {"column": f"{prefix}gripper_m", "closed": performance.closed_m, "open": performance.open_m}
        where = "target_position" if prefix else "tool_position"
        return {"arm": ARM.value, "position": {"column": where}, "opening": opening}

    turned = {"rotation": {"column": "tool_quaternion", "encoding": "quaternion_xyzw"}}
    return Recording.model_validate(
        {
            "joinery_recording": 1,
            "instruction": performance.task.instruction,
            "embodiment": performance.embodiment,
            "cameras": [{"name": "front", "file": "front.mp4", "role": "third_person"}],
            "state": [arm("") | turned],
            "target": [arm("target_")],
            "joints": ["joint_position"],
            "success": performance.success,
        }
    )


def drawing(trace: Trace, frame: int) -> NDArray[np.uint8]:
    """Tool and objects seen from the side, uint8 [64, 64, 3]: something that moves when the robot does.

    Grainy like a sensor's, or cleaning would take a resting arm for a frozen camera.
    """
    picture = np.full((_DRAWN, _DRAWN, 3), 150, np.uint8)
    picture[::8, :] = picture[:, ::8] = 120
    item = trace.items[0]
    low = np.minimum(trace.tool.min(0), item.position.min(0))
    span = max(0.2, float(np.max(np.maximum(trace.tool.max(0), item.position.max(0)) - low)))
    gap = 1 + round(4 * float(np.clip(trace.opening[frame], 0.0, 1.0)))
    for where, colour, offsets in (
        (item.position[frame], (200, 60, 40), (0,)),
        (trace.tool[frame], (30, 30, 30), (-gap, gap)),
    ):
        x, _, z = (8 + (_DRAWN - 16) * (where - low) / span).round().astype(int)
        for offset in offsets:
            picture[max(0, _DRAWN - z - 3) : _DRAWN - z + 3, max(0, x + offset - 2) : x + offset + 2] = colour
    grain = np.random.default_rng(frame).integers(-_GRAIN, _GRAIN + 1, picture.shape)
    return (picture + grain).clip(0, 255).astype(np.uint8)


def write_index(out: Path, measurement: Measurement, truths: Iterable[TruthEpisode]) -> None:
    """``truth.json``, and the recipe that reads it all."""
    ordered = sorted(truths, key=lambda truth: (truth.source, truth.locator))
    simulators = sorted({truth.source for truth in ordered})
    write_truth(out / TRUTH, asdict(measurement), dict.fromkeys(simulators, "self_collected"), ordered)
    (out / RECIPE).write_text(_recipe(simulators), encoding="utf-8")


def _recipe(simulators: list[str]) -> str:
    sources = "".join(
        f"  - format: self_collected\n    name: {name}\n    path: {name}\n    card: *simulated\n" for name in simulators
    ).replace("*simulated", _CARD, 1)
    card = "shard:\n  card:\n    contact: nobody; it can be made again\n"
    return f"{_HEAD}sources:\n{sources}cluster:\n  min_cluster: 1\n{card}"


_HEAD = """# Simulated episodes with exact boundaries in truth.json (docs/sim_truth.md).
joinery: 1
workspace:
  url: workspace
"""
_CARD = """&simulated
      licence: CC0-1.0
      redistribution: allowed
      consent: not applicable, no person was recorded
      personal_data: none"""
