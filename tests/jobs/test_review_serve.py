"""A run's episodes under review by the command line: served, searched, backed up, put back, checked."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from annotators.review.role import Role
from jobs.cli import app
from jobs.review import Wanted, imported
from jobs.review_accounts import add, listed
from jobs.review_serve import is_local_host
from jobs.river import RIVER
from jobs.run import RunResult
from jobs.vllm.server import free_port
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.recipe_file import LoadedRecipe

RUN = CliRunner()


@pytest.fixture(scope="module")
def recipe(reference: tuple[RunResult, LoadedRecipe]) -> Path:
    return Path(reference[1].recipe.workspace.url).parent / "demo.yaml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served") / "review"


@pytest.fixture(scope="module")
def client(recipe: Path, folder: Path) -> Iterator[httpx2.Client]:
    """Of a server that was started as a user does, and ends at Ctrl-C without a traceback."""
    port = free_port("127.0.0.1")
    command = [sys.executable, "-m", "jobs.cli", "review", "serve", str(recipe), "--folder", str(folder)]
    command += ["--port", str(port), "--as", "ann", "--audit-share", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "500"}
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        said = server.stdout.readline() + server.stdout.readline()
        found = re.search(r"open (\S+)\?token=(\S+)", said)
        assert found, said
        with httpx2.Client(base_url=found[1], timeout=60) as client:
            assert client.get("/", params={"token": found[2]}).status_code == 303
            client.headers["X-Joinery-CSRF"] = client.get("/api/session").json()["csrf"]
            yield client
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
        assert "Traceback" not in server.stderr.read()


def test_every_episode_with_events_is_on_the_queue_with_its_pictures(
    client: httpx2.Client, reference: tuple[RunResult, LoadedRecipe]
) -> None:
    recipe = reference[1].recipe
    workspace = Workspace.existing(recipe.workspace.url, recipe.workspace.storage)
    ledger = Ledger(workspace, recipe, RIVER)
    ledger.refresh_all()
    expected = {episode.document.episode_id: episode for episode in imported(workspace, ledger, recipe, Wanted())}
    items = client.get("/api/queue").json()["items"]
    assert {item["review_id"] for item in items} == set(expected)
    assert {item["stratum"] for item in items} == {"risk"}
    assert [item["risk"] for item in items] == sorted((item["risk"] for item in items), reverse=True)
    first = items[0]["review_id"]
    for _ in range(600):
        episode = client.get(f"/api/episodes/{first}").json()
        if episode["media"] == "ready":
            break
    assert episode["media"] == "ready", episode["media_said"]
    assert {view["sha256"] != "" for view in episode["sheet"]["views"]} == {True}
    assert client.get(f"/media/{episode['media_sha256']}/frames/0.jpg").content[:2] == b"\xff\xd8"
    assert not episode["sheet"]["personal"], "the demo's card says that nobody was recorded"


def test_search_finds_events_with_their_frames_and_leads_to_the_episode(client: httpx2.Client) -> None:
    hits = client.get("/api/search", params={"q": "grasp", "level": "action", "limit": 3}).json()["hits"]
    assert hits
    for hit in hits:
        episode = client.get(f"/api/episodes/{hit['review_id']}").json()
        frames = {edge["frame"] for edge in episode["document"]["boundaries"].values()}
        assert {hit["frame_start"], hit["frame_end"]} <= frames
    assert client.get("/api/search", params={"q": ""}).json() == {"hits": []}
    assert client.get("/api/search", params={"q": "grasp", "level": "none"}).status_code == 422


def test_while_it_is_served_it_can_be_copied_but_not_opened_again(
    client: httpx2.Client, recipe: Path, folder: Path, tmp_path: Path
) -> None:
    copied = RUN.invoke(
        app, ["review", "backup", str(recipe), "--folder", str(folder), "--out", str(tmp_path / "copy.sqlite")]
    )
    assert copied.exit_code == 0, copied.output
    assert (tmp_path / "copy.sqlite").is_file()
    for verb in (["serve", str(recipe), "--port", "0"], ["import", str(recipe)], ["restore", str(recipe)]):
        refused = RUN.invoke(app, ["review", *verb, "--folder", str(folder)])
        assert refused.exit_code == 1
    checked = RUN.invoke(app, ["review", "verify-media", str(recipe), "--folder", str(folder), "--json"])
    report = json.loads(checked.output)
    assert report["problems"] == []
    assert report["n_files"] > 0


def test_what_was_saved_after_a_snapshot_comes_back_with_it(recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "review"
    given = ["--folder", str(folder)]
    assert RUN.invoke(app, ["review", "import", str(recipe), *given]).exit_code == 0
    assert RUN.invoke(app, ["review", "backup", str(recipe), *given]).exit_code == 0
    again = RUN.invoke(app, ["review", "import", str(recipe), *given])
    assert "0 episodes are new" in again.output
    restored = RUN.invoke(app, ["review", "restore", str(recipe), *given, "--json"])
    assert json.loads(restored.output)["replayed"] == 0
    assert RUN.invoke(app, ["review", "verify", str(recipe), *given]).exit_code == 0
    other = RUN.invoke(app, ["review", "import", str(recipe), *given, "--seed", "7"])
    assert other.exit_code == 1


def test_people_are_let_in_and_out_by_name(recipe: Path, tmp_path: Path) -> None:
    given = ["--folder", str(tmp_path / "review")]
    made = RUN.invoke(
        app,
        ["review", "users", "add", str(recipe), "ann", "--role", "reviewer", "--password-stdin", *given],
        input="correct horse\n",
    )
    assert made.exit_code == 0, made.output
    assert [(account.name, account.role) for account in listed(tmp_path / "review")] == [("ann", Role.REVIEWER)]
    assert "ann  reviewer" in RUN.invoke(app, ["review", "users", "list", str(recipe), *given]).output
    assert RUN.invoke(app, ["review", "serve", str(recipe), "--as", "bob", "--port", "0", *given]).exit_code == 1
    assert RUN.invoke(app, ["review", "users", "remove", str(recipe), "ann", *given]).exit_code == 0
    assert listed(tmp_path / "review") == []
    add(tmp_path / "review", "bob", Role.ADMIN, "correct horse")
    assert [account.name for account in listed(tmp_path / "review")] == ["bob"]


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("10.0.0.1", False), ("lab", False)],
)
def test_without_accounts_only_this_machine_gets_in(host: str, is_local: bool) -> None:
    assert is_local_host(host) is is_local
