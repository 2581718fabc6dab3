"""``joinery recover``, from a run to a run of its recoveries."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import app
from tests.made_once import sound_corpus

RECIPE = """
joinery: 1
workspace: {url: workspace}
sources:
  - format: lerobot
    name: open_robot
    path: corpus/open_robot
    kind: open_robot
    card: {licence: CC-BY-4.0, contact: lab@example.org}
    state:
      - arm: right
        position: {column: observation.state.cartesian_position, start: 0, stop: 3}
        rotation: {column: observation.state.cartesian_position, start: 3, stop: 6, encoding: euler_xyz}
        opening: {column: observation.state.gripper_position, closed: 1, open: 0}
recover: {starts: 2, alpha: 0.5, min_confidence: 0.1}
cluster: {min_cluster: 1}
clip: {short_side: 32}
run: {executor: inline}
"""


def call(*arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.output


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe that has run, its plan and its rollout."""
    place = tmp_path_factory.mktemp("recover")
    (place / "corpus").symlink_to(sound_corpus(tmp_path_factory))
    (place / "recipe.yaml").write_text(RECIPE)
    call("run", place / "recipe.yaml")
    call("recover", "plan", place / "recipe.yaml", "--out", place / "plan")
    call("recover", "rollout", place / "plan", "--simulator", "synthetic", "--out", place / "rolled")
    return place


def results(place: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (place / "rolled" / "results.jsonl").read_text().splitlines()]


def test_the_plan_has_the_contacts_with_scenes_and_starts(place: Path) -> None:
    plan = json.loads((place / "plan" / "plan.json").read_text())
    assert [event["verb"] for event in plan["events"]] == ["grasp", "place", "release"]
    assert all(len(event["starts"]) == 2 for event in plan["events"])
    assert all((place / "plan" / event["picture"]).read_bytes()[:2] == b"\xff\xd8" for event in plan["events"])
    assert (place / "plan" / "plan.html").read_text().count("<img") == 3


def test_a_plan_is_the_same_again(place: Path, tmp_path: Path) -> None:
    call("recover", "plan", place / "recipe.yaml", "--out", tmp_path)
    assert (tmp_path / "plan.json").read_bytes() == (place / "plan" / "plan.json").read_bytes()


def test_more_contacts_than_asked_for_are_sampled(place: Path, tmp_path: Path) -> None:
    said = call("recover", "plan", place / "recipe.yaml", "--out", tmp_path, "--set", "recover.max_events=2")
    assert "1 more contacts are not in the plan" in said
    assert len(json.loads((tmp_path / "plan.json").read_text())["events"]) == 2


def test_every_start_has_a_result_and_every_recording_its_origin(place: Path) -> None:
    found = results(place)
    assert len(found) == 6
    recorded = [result for result in found if result["recording"]]
    assert recorded
    for result in recorded:
        origin = json.loads((place / "rolled" / str(result["recording"]) / "provenance.json").read_text())
        assert origin["result"] == result
        assert origin["simulator"] == "synthetic"
    assert all(result["reason"] for result in found if not result["recording"])
    assert "| grasp, perturbed | 1 |" in (place / "rolled" / "rollout.md").read_text()


def test_what_is_recorded_is_not_done_again(place: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (place / "rolled" / "recordings").rglob("*.mp4")}
    found = results(place)
    call("recover", "rollout", place / "plan" / "plan.json", "--simulator", "synthetic", "--out", place / "rolled")
    assert {path: path.stat().st_mtime_ns for path in (place / "rolled" / "recordings").rglob("*.mp4")} == before
    assert results(place) == found


def test_recoveries_run_like_any_source_with_the_rights_of_their_parents(place: Path) -> None:
    recipe = place / "rolled" / "recipe.yaml"
    call("run", recipe, "--set", "run.executor=inline", "--set", "cluster.min_cluster=1", "--set", "clip.short_side=32")
    text = recipe.read_text()
    assert "kind: recovery" in text
    assert text.count("licence: CC-BY-4.0") == 2
    assert "lab@example.org" in text
    assert "declared_invalid" in call("why", recipe, "open_robot_recovery")


def test_a_run_without_events_and_a_plan_that_is_none_say_what_to_do(place: Path, tmp_path: Path) -> None:
    changed = ("--set", "segment.min_hold_s=0.3")
    said = call("recover", "plan", place / "recipe.yaml", "--out", tmp_path, *changed, status=1)
    assert "run `joinery run` with it first" in said.replace("\n", " ")
    said = call("recover", "rollout", tmp_path, "--simulator", "synthetic", "--out", tmp_path / "x", status=1)
    assert "make one with `joinery recover plan`" in said.replace("\n", " ")
    said = call("recover", "rollout", place / "plan", "--simulator", "matrix", "--out", tmp_path / "x", status=1)
    assert "there are robosuite, synthetic" in said.replace("\n", " ")


def changed(place: Path, folder: Path, old: str, new: str) -> Path:
    """A copy of the plan with something else in it."""
    shutil.copytree(place / "plan", folder)
    (folder / "plan.json").write_text((folder / "plan.json").read_text().replace(old, new))
    return folder


def test_a_plan_can_name_no_folder_outside_of_its_rollout(place: Path, tmp_path: Path) -> None:
    plan = json.loads((place / "plan" / "plan.json").read_text())
    start = plan["events"][0]["starts"][0]["start_id"]
    hostile = changed(place, tmp_path / "plan", start, "../../../../victim")
    (tmp_path / "victim").mkdir()
    said = call("recover", "rollout", hostile, "--simulator", "synthetic", "--out", tmp_path / "a/b/out", status=1)
    assert "start_id" in said
    assert (tmp_path / "victim").is_dir()


def test_recordings_of_starts_that_a_plan_has_given_up_are_not_used(place: Path, tmp_path: Path) -> None:
    start = next(path.name for path in sorted((place / "rolled/recordings/open_robot").glob("*/*")))
    other = changed(place, tmp_path / "plan", start, f"{start[:-1]}{'0' if start[-1] != '0' else '1'}")
    shutil.copytree(place / "rolled", tmp_path / "rolled")
    said = call("recover", "rollout", other, "--simulator", "synthetic", "--out", tmp_path / "rolled", status=1)
    assert "is of a start that this plan does not have" in said


def test_another_demonstration_is_recorded_again(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "rolled", tmp_path / "rolled")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "rolled").rglob("recording.json")}
    call("recover", "plan", place / "recipe.yaml", "--out", tmp_path / "plan", "--set", "recover.max_replay_s=0.5")
    call("recover", "rollout", tmp_path / "plan", "--simulator", "synthetic", "--out", tmp_path / "rolled")
    assert before
    assert all(path.stat().st_mtime_ns != modified for path, modified in before.items())
