"""``python -m benchmarks.distill SHARDS TEACHER [--steps N]``: what distillation keeps of a teacher, by which loss.

A trained `tiny` run is distilled into 1, 2 and 4 steps by distribution matching alone, by the plain action loss alone,
and by both. Teacher and students make the events of the validation split from the same noise; the table says how far
they are from the record. Rows are kept in ``--work``: what is there is not made again.
``benchmarks/results/distill.json`` and ``.md`` hold the last output.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from jobs.compile import Extent, compile_load_plan
from pipeline.loader.reader import ShardSet
from trainer.checkpoint import load_weights, newest
from trainer.compress.distill import DistillConfig, Distiller
from trainer.compress.judge import HeldOut, held_out, judge
from trainer.configs import TrainConfig, load_spec
from trainer.model.wam import WallWM, build
from trainer.policy_record import checkpoint_folder, read_record
from trainer.run import RunOptions, carried_out, planned

ARMS = {"matching": (1.0, 0.0), "actions": (0.0, 1.0), "both": (1.0, 1.0)}
TEACHER_STEPS, STUDENT_STEPS = (1, 2, 4, 20, 50), (1, 2, 4)
SEEDS = (0, 2)
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Make what is missing, print and keep the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("shards")
    parser.add_argument("teacher", type=Path)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=384, help="Of a pack; the teacher may have had more.")
    parser.add_argument("--ratio", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("distill-work"))
    parser.add_argument("--only", nargs="*", default=[], help="Rows to make, e.g. both-2; default: all.")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    teacher_folder = checkpoint_folder(options.teacher)
    config = read_record(teacher_folder).config
    config = replace(config, data=replace(config.data, token_budget=options.tokens))
    held = held_out(ShardSet.open(options.shards), "validation", config)
    for steps in TEACHER_STEPS:
        row(
            options.work,
            f"teacher-{steps}",
            options.only,
            lambda n=steps: told(loaded(teacher_folder, config), config, held, n),
        )
    for arm, (match, action) in ARMS.items():
        for steps in STUDENT_STEPS:
            plan = DistillConfig(steps=steps, ratio=options.ratio, match_weight=match, action_weight=action)
            row(
                options.work,
                f"{arm}-{steps}",
                options.only,
                lambda p=plan: student(options, teacher_folder, config, p, held),
            )
    if not options.only:
        publish(options, config)
    return 0


def row(work: Path, name: str, only: list[str], make: Callable[[], dict[str, float]]) -> None:
    """Keep what ``make`` says, unless it is kept already."""
    kept = work / f"{name}.json"
    if kept.is_file() or (only and name not in only):
        return
    kept.write_text(json.dumps(make()))
    print(name, kept.read_text(), flush=True)


def loaded(folder: Path, config: TrainConfig) -> WallWM:
    """A checkpoint's model."""
    model = build(config.model, config.seed)
    load_weights(folder, model, averaged=True)
    return model


def told(model: WallWM, config: TrainConfig, held: list[HeldOut], steps: int) -> dict[str, float]:
    """How far off it is in so many steps."""
    return asdict(judge(model, config, held, steps, SEEDS))


def student(
    options: argparse.Namespace, folder: Path, config: TrainConfig, plan: DistillConfig, held: list[HeldOut]
) -> dict[str, float]:
    """Distil and judge."""
    name = f"{plan.steps}-{plan.match_weight:.0f}-{plan.action_weight:.0f}"
    out = options.work / name
    plan_folder = str(out / "plan")
    if newest(out) is None:
        compile_load_plan(options.shards, plan_folder, load_spec(config), Extent(steps=options.steps))
    config = replace(config, save_every=50)
    steps = planned(options.shards, plan_folder, config, out / "ledger")
    since = time.process_time()
    report = carried_out(
        lambda ranks: Distiller(config, plan, loaded(folder, config), steps, ranks),
        config,
        out,
        RunOptions(newest(out) is not None),
    )
    seconds = time.process_time() - since
    made = plan.student(config)
    return told(loaded(report.checkpoint, made), made, held, plan.steps) | {"cpu_s": round(seconds, 1)}


def publish(options: argparse.Namespace, config: TrainConfig) -> None:
    """The table, as JSON and Markdown."""
    rows = {path.stem: json.loads(path.read_text()) for path in options.work.glob("*.json")}
    numbers = f"--steps {options.steps} --ratio {options.ratio} --tokens {options.tokens}"
    command = f"python -m benchmarks.distill SHARDS TEACHER {numbers}"
    made = {"command": command, "config": config.name, "seeds": SEEDS, "rows": rows}
    (RESULTS / "distill.json").write_text(json.dumps(made, indent=1) + "\n")
    lines = [
        f"$ {command}",
        "",
        "| who | steps | action MAE (σ) | end point (m) | latent MSE |",
        "|---|---|---|---|---|",
    ]
    for name in [f"teacher-{n}" for n in TEACHER_STEPS] + [f"{a}-{n}" for a in ARMS for n in STUDENT_STEPS]:
        who, _, steps = name.partition("-")
        found = rows[name]
        lines.append(
            f"| {who} | {steps} | {found['action_mae']:.3f} | {found['end_point_m']:.4f} | {found['latent_mse']:.4f} |"
        )
    text = "\n".join(lines) + "\n"
    (RESULTS / "distill.md").write_text(text)
    print(text)


if __name__ == "__main__":
    sys.exit(main())
