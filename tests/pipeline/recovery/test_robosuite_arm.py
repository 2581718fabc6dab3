"""robosuite itself: a scripted demonstration in it, recorded as robomimic does, recovered from perturbed starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_repository import ROOT

PYTHON = str(ROOT / ".venv-sim" / "bin" / "python")
"""Of an environment that is not ours: robosuite needs NumPy 1 (docs/recovery.md)."""


def in_simulator(*arguments: object) -> str:
    called = [PYTHON, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl")}
    done = subprocess.run(called, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_lift_is_recovered_from_perturbed_starts_in_robosuite(tmp_path: Path) -> None:
    if not Path(PYTHON).is_file():
        pytest.skip("robosuite has no environment here: run `make sim`")
    assert "success: True" in in_simulator("-m", "tests.pipeline.recovery.robosuite_demos", tmp_path / "lift/a.hdf5")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "joinery: 1\nworkspace: {url: workspace}\nsources:\n"
        "  - {format: robomimic, name: lift, path: lift, instruction: lift the cube, card: {licence: CC0-1.0}}\n"
        "recover: {starts: 4}\ncluster: {min_cluster: 1}\nrun: {executor: inline}\n"
    )
    ours = [sys.executable, "-m", "jobs.cli"]
    subprocess.run([*ours, "run", str(recipe)], check=True, cwd=ROOT)
    subprocess.run([*ours, "recover", "plan", str(recipe), "--out", str(tmp_path / "plan")], check=True, cwd=ROOT)
    out = tmp_path / "rolled"
    in_simulator("-m", "jobs.cli", "recover", "rollout", tmp_path / "plan", "--simulator", "robosuite", "--out", out)
    results = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [result["kind"] for result in results].count("perturbed") == 3
    assert all(result["status"] == "recorded" and result["success"] for result in results)
    subprocess.run([*ours, "run", str(out / "recipe.yaml"), "--set", "run.executor=inline",
                    "--set", "cluster.min_cluster=1"], check=True, cwd=ROOT)  # fmt: skip
