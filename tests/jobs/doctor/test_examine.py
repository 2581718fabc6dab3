"""Each check can be well and can be ill, says what to do, and leaves nothing behind."""

import json
import os
import resource
import shutil
import socket
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.doctor import browser as browser_module
from jobs.doctor import cluster as cluster_module
from jobs.doctor import codecs as codecs_module
from jobs.doctor import installation as installation_module
from jobs.doctor import machine as machine_module
from jobs.doctor import storage as storage_module
from jobs.doctor.check import Check, State, looked_at
from jobs.doctor.cluster import Node, cluster, this_node
from jobs.doctor.codecs import codecs, films
from jobs.doctor.devices import devices
from jobs.doctor.installation import code_digest, installation
from jobs.doctor.machine import machine
from jobs.doctor.models import models
from jobs.doctor.storage import storage
from pipeline.errors import JoineryError
from pipeline.store import Workspace
from pipeline.tables import LEDGERS, TABLES
from schemas.recipe_file import load_recipe
from tests.pipeline.s3_server import s3_bucket

RECIPE = """\
joinery: 1
workspace: {url: workspace}
sources:
  - {format: video_folder, name: films, path: films, kind: internet, card: {licence: CC0-1.0}}
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    """No recording is looked at, so one film is enough."""
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "one.mp4").write_bytes(films()[0].file)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path / "recipe.yaml"


def by_name(checks: Iterable[Check]) -> dict[str, Check]:
    found = {check.name: check for check in checks}
    for check in found.values():
        assert check.state is State.OK or (check.expected and check.advice), "what is wrong says what to do"
    return found


def states(checks: Iterable[Check]) -> dict[str, State]:
    return {name: check.state for name, check in by_name(checks).items()}


def test_pictures_of_every_codec_come_out_and_a_clip_goes_in_byte_for_byte() -> None:
    assert states(codecs()) == dict.fromkeys(
        [*(f"decode {codec}" for codec in ("h264", "hevc", "av1", "vp9", "mpeg4")), "encode h264"], State.OK
    )


def test_a_decoder_that_fails_or_gives_other_pictures_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    cut = [film._replace(file=film.file[: len(film.file) // 2]) for film in films()]
    monkeypatch.setattr(codecs_module, "films", lambda: cut)
    found = states(codecs())
    assert {name for name, state in found.items() if state is State.FAILURE} >= {"decode h264", "decode hevc"}
    other = [film._replace(pictures="0" * 64) for film in films()]
    monkeypatch.setattr(codecs_module, "films", lambda: other)
    found = states(codecs())
    assert found["decode vp9"] is State.FAILURE
    assert found["decode mpeg4"] is State.WARNING, "its standard leaves the last bits open"


def test_an_encoder_that_writes_other_bytes_fails_unless_it_is_another_release(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(codecs_module, "ENCODED", "0" * 64)
    assert states(codecs())["encode h264"] is State.FAILURE
    monkeypatch.setattr(codecs_module, "ENCODED_BY", "99.0")
    assert states(codecs())["encode h264"] is State.WARNING


def test_storage_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert set(states(storage(str(nowhere), {})).values()) == {State.OK}
    assert not nowhere.exists(), "trying it makes no workspace"
    workspace = Workspace.open(str(tmp_path / "ws"))
    before = {path: path.read_bytes() for path in Path(workspace.url).rglob("*") if path.is_file()}
    found = by_name(storage(workspace.url, {}))
    assert found["workspace"].found.startswith(f"{len(TABLES) + len(LEDGERS)} tables")
    assert {path: path.read_bytes() for path in Path(workspace.url).rglob("*") if path.is_file()} == before


def test_an_object_store_is_tried_too() -> None:
    with s3_bucket("bucket") as options:
        found = by_name(storage("s3://bucket/ws", options))
        assert set(found) == {"storage", "commits", "clock", "workspace"}
        assert {check.state for check in found.values()} == {State.OK}
        wrong = by_name(looked_at("storage", lambda: storage("s3://no-such-bucket/ws", options), "a bucket", "make it"))
        assert wrong["storage"].state is State.FAILURE


def test_a_store_that_loses_commits_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append, turn = Workspace.append, [0]

    def forgetful(self, record, rows) -> None:  # type: ignore[no-untyped-def]
        turn[0] += 1
        if turn[0] != 3:
            append(self, record, rows)

    monkeypatch.setattr(Workspace, "append", forgetful)
    found = by_name(storage(str(tmp_path / "ws"), {}))["commits"]
    assert (found.state, found.found) == (State.FAILURE, "1 of 8 rows were lost")


def test_a_clock_that_is_off_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = storage_module.clock_of_store
    monkeypatch.setattr(storage_module, "clock_of_store", lambda blobs: read(blobs) + 60_000_000_000)
    found = by_name(storage(str(tmp_path / "ws"), {}))["clock"]
    assert (found.state, found.found) == (State.WARNING, "60 s behind the storage's")


def test_a_folder_that_cannot_be_written_to_is_a_line_and_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    found = by_name(looked_at("storage", lambda: storage(str(tmp_path / "file"), {}), "a folder", "name another"))
    assert found["storage"].state is State.FAILURE
    assert found["storage"].advice == "name another"


def test_limits_of_the_machine_are_warned_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    monkeypatch.setenv("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0)) + 1))
    try:
        found = by_name(machine({"the workspace": str(tmp_path / "not" / "there")}))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found["open files"].state is State.WARNING
    assert found["open files"].found == "512 allowed"
    assert found["threads"].state is State.WARNING
    assert "disk: the workspace" in found
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(machine_module.shutil, "disk_usage", lambda path: usage._replace(total=1, free=1))
    found = by_name(machine({}))
    assert found["disk: temporary files"].state is State.FAILURE
    assert found["shared memory"].state is State.WARNING


def test_a_library_that_is_missing_or_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert states(installation())["libraries"] is State.OK
    wanted = ["no-such-library>=1", "numpy>=99", 'pandas>=99; extra == "dev"']
    monkeypatch.setattr(installation_module, "requires", lambda _name: wanted)
    found = by_name(installation())["libraries"]
    assert found.state is State.FAILURE
    assert found.found.startswith("no-such-library is missing; numpy ")
    assert "pandas" not in found.found
    monkeypatch.setattr(installation_module, "PYTHONS", ((4, 0), (5, 0)))
    assert states(installation())["python"] is State.FAILURE


def test_a_version_that_was_not_tested_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("numpy==0.0.1\nnot-ours==1\n")
    monkeypatch.setattr(installation_module, "CHECKOUT", tmp_path)
    found = by_name(installation())["versions"]
    assert found.state is State.WARNING
    assert "(tested: 0.0.1)" in found.found


def test_code_is_told_apart_by_content(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(installation_module, "CHECKOUT", tmp_path)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "a.py").write_text("1")
    one = code_digest()
    (tmp_path / "jobs" / "a.py").write_text("2")
    assert code_digest() != one


def test_a_browser_that_draws_nothing_is_a_warning_and_none_is_fine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert states(browser_module.browser()) == {"browser": State.OK}
    script = tmp_path / "chromium"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    assert states(browser_module.browser()) == {"browser": State.WARNING}
    script.write_text("#!/bin/sh\necho '<p>h264 no</p>'\n")
    assert "plays no H.264" in by_name(browser_module.browser())["browser"].found


def test_a_driver_without_a_gpu_to_compute_on_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert states(devices()) == {"gpu": State.OK}
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert states(devices()) == {"gpu": State.WARNING}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"versions": {"python": "3.9"}}, "python 3.9 (here "),
        ({"code": "f" * 64}, "Joinery's code is ffffffffffff"),
        ({"clip": "0" * 64}, "encodes a clip to other bytes"),
        ({"missing": ("/data/here",)}, "does not see /data/here"),
    ],
)
def test_a_node_that_differs_says_in_what(change: dict[str, object], said: str) -> None:
    here = this_node([])
    assert cluster_module._node("10.0.0.1", here, here).state is State.OK
    if "versions" in change:
        change = {"versions": here.versions | change["versions"]}  # type: ignore[operator]
    there: Node = replace(here, **change)  # type: ignore[arg-type]
    found = cluster_module._node("10.0.0.1", there, here)
    assert found.state is State.FAILURE
    assert said in found.found
    assert cluster_module._node("10.0.0.1", "no answer in 120 s", here).state is State.FAILURE


def test_a_cluster_nobody_answers_at_and_a_model_nobody_serves_are_failures(recipe_file: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        address = f"127.0.0.1:{port}"
        vlm = f"run.vlm={{endpoints: [{{url: 'http://{address}/v1'}}], patience_s: 1, attempts: 1}}"
        by = "caption.by={method: vlm, model: tiny, revision: r1}"
        there = ["workspace.url=s3://x/y", "workspace.storage={region: us-east-1}"]
        recipe = load_recipe(recipe_file, [*there, vlm, by, f"run.ray_address={address}"]).recipe
        for part, name in ((models, "model"), (cluster, "ray")):
            with pytest.raises(JoineryError, match=address):
                list(part(recipe))
            assert by_name(looked_at(name, lambda part=part: part(recipe), "an answer", "do"))[name].state is (
                State.FAILURE
            )


def test_the_command_ends_with_one_when_a_run_would_fail(
    recipe_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no browser: it would be most of the time
    command = ["doctor", str(recipe_file), "--set", "run.executor=inline"]
    well = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)
    assert well.exit_code == 0
    said = json.loads(well.stdout)
    assert said["ok"]
    assert {check["name"] for check in said["checks"]} >= {"python", "decode av1", "commits", "gpu", "vllm", "ray"}
    monkeypatch.setattr(codecs_module, "ENCODED", "0" * 64)
    ill = CliRunner().invoke(app, command, catch_exceptions=False)
    assert ill.exit_code == 1
    assert "failure  encode h264" in ill.stdout
    assert "do:       pip install" in ill.stdout
    assert "1 failures" in ill.stdout


@pytest.mark.slow
def test_ray_is_started_and_its_node_asked(recipe_file: Path) -> None:
    found = by_name(cluster(load_recipe(recipe_file, ["run.workers=1"]).recipe))
    node = next(check for name, check in found.items() if name.startswith("node "))
    assert found["ray"].state is State.OK
    assert node.state is State.OK, node.found
