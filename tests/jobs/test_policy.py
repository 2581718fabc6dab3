"""``joinery policy`` as people use it: trained on a shard set, drawn beside a recording, and the mistakes they make."""

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from jobs.commands.policies import commands
from jobs.imagine import EventRequest, found_event, observation_of, recorded_actions
from jobs.policy import Listening, PlannerRequest, PolicyRequest, open_policy, serve
from jobs.train import TrainRequest, train_on
from pipeline.errors import JoineryError
from pipeline.loader.reader import ShardSet
from tests.pipeline.shards.corpus import published_set
from tests.trainer.events import sample
from tests.trainer.policies import checkpoint_in
from trainer.run import RunOptions


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> str:
    return published_set(tmp_path_factory.getbasetemp() / "published")


@pytest.fixture(scope="module")
def run(shards: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    train_on(TrainRequest(shards, out, "tiny", 2), RunOptions(), lambda _n_steps: lambda _line: None)
    return out


def with_actions(shards: str) -> str:
    opened = ShardSet.open(shards)
    events = (event for _, event in opened.iterate("train"))
    return next(event.event_id for event in events if event.anchor_20() is not None and event.n_frames >= 5)


def test_an_event_is_drawn_beside_what_the_model_imagines(run: Path, shards: str, tmp_path: Path) -> None:
    event = with_actions(shards)
    asked = ["imagine", str(run), shards, event, "--out", str(tmp_path), "--steps", "2", "--json"]
    done = CliRunner().invoke(commands, asked)
    assert done.exit_code == 0, done.output
    numbers = json.loads(done.stdout)
    assert (numbers["event_id"], numbers["steps"], numbers["mode"]) == (event, 2, "symmetric")
    assert numbers["action_mse"] > 0
    assert json.loads((tmp_path / f"{event}.json").read_text()) == numbers
    for name in (f"{event}.png", f"{event}-actions.png"):
        picture = cv2.imread(str(tmp_path / name))
        assert picture is not None
        assert picture.std() > 10, "something is drawn"
    with av.open(str(tmp_path / f"{event}.mp4")) as video:
        frames = sum(1 for _ in video.decode(video=0))
        assert frames % 4 == 1
        seconds = float(frames / video.streams.video[0].average_rate)
    assert seconds == pytest.approx(numbers["duration_s"], rel=0.05), "shown as fast as it happened"


def test_another_way_of_sampling_is_another_answer(run: Path, shards: str, tmp_path: Path) -> None:
    found = []
    for options in (["--mode", "symmetric"], ["--mode", "asymmetric", "--approach", "2"]):
        asked = ["imagine", str(run), shards, with_actions(shards), "--out", str(tmp_path), "--json", *options]
        found.append(json.loads(CliRunner().invoke(commands, asked).stdout))
    assert [each["mode"] for each in found] == ["symmetric", "asymmetric"]
    assert found[0]["action_mse"] != found[1]["action_mse"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["imagine", "RUN", "SHARDS", "no-such-event"], "no event 'no-such-event'"),
        (["imagine", "RUN", "SHARDS", "0", "--embodiment", "leg"], "no embodiment 'leg'"),
        (["imagine", "SHARDS", "SHARDS", "0"], "no checkpoint there"),
        (["serve", "SHARDS"], "no checkpoint there"),
        (["serve", "RUN", "--anchor", "2"], "found anchor"),
        (["serve", "RUN", "--vlm", "http://127.0.0.1:9/v1"], "name it as the server lists it"),
    ],
)
def test_mistakes_are_named(run: Path, shards: str, options: list[str], message: str) -> None:
    draw = next(t for t, event in ShardSet.open(shards).iterate("train") if event.event_id == with_actions(shards))
    told = {"RUN": str(run), "SHARDS": shards, "0": str(draw)}
    done = CliRunner().invoke(commands, [told.get(word, word) for word in options])
    assert done.exit_code == 1
    assert message in " ".join(done.output.split())


def test_a_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    request = PolicyRequest(checkpoint_in(tmp_path))
    with pytest.raises(OSError, match=r"address already in use|Errno 98"):
        serve(request, PlannerRequest(), Listening("127.0.0.1", 0), lambda url, _policy: serve_again(request, url))


def serve_again(request: PolicyRequest, url: str) -> None:
    import asyncio
    import threading

    port, problems = int(url.rpartition(":")[2]), []

    def again() -> None:
        from jobs.policy import metadata_of
        from trainer.policy_server import Address, PolicyServer

        policy = open_policy(request)

        async def listen() -> None:
            async with PolicyServer(policy, metadata_of(policy, 0)).serving(Address(port=port)):
                pass

        try:
            asyncio.run(listen())
        except OSError as error:
            problems.append(error)

    thread = threading.Thread(target=again)
    thread.start()
    thread.join()
    raise problems[0]


def test_what_was_recorded_is_read_at_the_times_of_the_chunk() -> None:
    event = sample()
    relative = event.relative_action()
    assert relative is not None
    times = np.array([0.0, 0.1, 0.125])
    np.testing.assert_allclose(recorded_actions(event, times)[:2], relative[[0, 2]], atol=1e-6)
    np.testing.assert_allclose(recorded_actions(event, times)[2], (relative[2] + relative[3]) / 2, atol=1e-6)
    seen = observation_of(event)
    assert list(seen.pictures) == ["front", "wrist"]
    assert seen.text == "lift the cup"


def test_an_event_is_found_by_id_in_any_split_and_by_number_in_one(shards: str) -> None:
    opened, event = ShardSet.open(shards), with_actions(shards)
    by_id = found_event(opened, EventRequest(shards, event))
    assert found_event(opened, EventRequest(shards, str(by_id.t))).event_id == event
    with pytest.raises(JoineryError, match="draws: "):
        found_event(opened, EventRequest(shards, "99999"))
