"""A real server process and real clients: the same actions as here, and wrong messages that close nothing."""

import json
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from jobs.policy import Listening
from pipeline.errors import JoineryError
from tests.trainer.events import talking
from tests.trainer.policies import CAMERAS, DURATIONS_S, Reaching, checkpoint_in, observation
from tests.trainer.serving import ROOT, served
from trainer.head_planner import OwnWords
from trainer.next_event import AsTold, Durations, PastEvent
from trainer.policy import WallWMPolicy, load_policy
from trainer.policy_client import PolicyClient, PolicyError, packed
from trainer.remote_policy import RemotePolicy
from trainer.rollout import event_rollout


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint_in(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def url(run: Path) -> Iterator[str]:
    with served(run) as address:
        yield address


@pytest.fixture(scope="module")
def policy(run: Path) -> WallWMPolicy:
    return load_policy(run)


def message(**changes: Any) -> dict[str, Any]:
    seen = observation()
    whole = {
        "images": dict(seen.pictures), "state": seen.state_20, "state_known": seen.state_known_20,
        "prompt": "lift the cup", "duration_s": 1.0, "seed": 7,
    }  # fmt: skip
    return {key: value for key, value in {**whole, **changes}.items() if value is not None}


def test_the_server_acts_as_the_policy_does_here(url: str, policy: WallWMPolicy) -> None:
    expected = policy.act(observation(), 1.0, 7)
    with PolicyClient(url) as client:
        answer = client.infer(message())
    np.testing.assert_array_equal(answer["actions"], expected.actions_20)
    np.testing.assert_array_equal(answer["known"], expected.known_20)
    np.testing.assert_array_equal(answer["times_s"], expected.times_s)
    np.testing.assert_allclose(answer["poses"][:, 9], expected.actions_20[:, 9], atol=1e-6)
    assert answer["duration_s"] == 1.0
    assert answer["server_timing"]["infer_ms"] > 0
    assert "video" not in answer


def test_it_says_what_it_needs_when_a_client_connects(url: str) -> None:
    with PolicyClient(url) as client:
        said = client.metadata
    assert (said["server"], said["embodiment"], said["cameras"]) == ("joinery", "arm", list(CAMERAS))
    assert (said["control_hz"], said["durations_s"]) == (20.0, DURATIONS_S)
    assert said["action_known"].tolist() == observation().state_known_20.tolist()


def test_what_is_left_out_has_a_default(url: str, policy: WallWMPolicy) -> None:
    with PolicyClient(url) as client:
        answer = client.infer(message(duration_s=None, seed=None, state_known=None, video=True))
    assert answer["duration_s"] == DURATIONS_S["lift"], "the median of the text's verb"
    assert set(answer["video"]) == set(CAMERAS)
    assert answer["video"]["front"].dtype == np.uint8
    np.testing.assert_array_equal(answer["actions"], policy.act(observation(), DURATIONS_S["lift"], 0).actions_20)


WRONG: dict[str, tuple[object, str]] = {
    "no camera": (message(images=None), "images: found NoneType"),
    "a camera missing": (message(images={"front": observation().pictures["front"]}), "camera 'wrist' is missing"),
    "a picture as numbers": (message(images={"front": 3, "wrist": 4}), "'front' is int, expected an array"),
    "a picture of floats": (
        message(images={camera: np.zeros((8, 8, 3)) for camera in CAMERAS}), "'front' is float64 [8, 8, 3]",
    ),
    "a picture without colour": (
        message(images={camera: np.zeros((8, 8), np.uint8) for camera in CAMERAS}), "'front' is uint8 [8, 8]",
    ),
    "a short state": (message(state=np.zeros(7, np.float32)), "state: found float32 [7]"),
    "no state": (message(state=None), "state: missing"),
    "a state of text": (message(state="here"), "state: found"),
    "a wrong prompt": (message(prompt=3), "prompt: found int"),
    "a wrong duration": (message(duration_s=-1.0), "duration_s: found -1.0"),
    "an endless duration": (message(duration_s=float("inf")), "duration_s: found inf"),
    "a duration of text": (message(duration_s="long"), "duration_s: found 'long'"),
    "a seed that is no number": (message(seed=float("nan")), "seed: found nan"),
    "an unknown key": (message(image=1), "image: no such key"),
    "vectors of another width": (message(prompt_vectors=np.zeros((2, 3), np.float32)), "text: found vectors"),
    "no map": ([1, 2], "found list, expected a map"),
    "empty": (b"", "cannot be read"),
    "no msgpack": (b"\xc1\xc1\xc1", "cannot be read"),
    "half a message": (packed(message())[:-100], "cannot be read"),
    "text": ("hello", "expected msgpack in binary"),
    "an array of objects": (
        msgpack.packb({"state": {b"__ndarray__": True, b"data": b"", b"dtype": "|O", b"shape": [0]}}), "object",
    ),
    "an array larger than its bytes": (
        msgpack.packb({"state": {b"__ndarray__": True, b"data": b"ab", b"dtype": "<f4", b"shape": [2**40, 2**40]}}),
        "does not have as many bytes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_message_is_answered_and_closes_nothing(url: str, name: str) -> None:
    wrong, expected = WRONG[name]
    with connect(url, max_size=None) as socket, PolicyClient(url) as other:
        socket.recv()
        socket.send(wrong if isinstance(wrong, str | bytes) else packed(wrong))
        answer = socket.recv(timeout=60)
        assert isinstance(answer, str)
        error = json.loads(answer)["error"]
        assert error["code"] == "bad_request"
        assert expected in error["message"]
        socket.send(packed(message()))
        assert isinstance(socket.recv(timeout=60), bytes), "the same connection goes on"
        assert len(other.infer(message())["actions"]) == 20, "and so do the others"


@pytest.mark.slow
def test_a_model_plans_for_its_clients_by_itself(tmp_path: Path) -> None:
    """Heads nobody has trained say something; whose words they are, and that words and latents differ, is seen."""
    run = checkpoint_in(tmp_path / "run", talking())
    own = OwnWords.of(load_policy(run))
    planned = own.planner("tidy up").next(observation(""), [PastEvent("reach", 0.0)])
    assert planned is not None
    asked = message(prompt=None, duration_s=None, task="tidy up", past=["reach"])
    with served(run, "--heads") as address, PolicyClient(address) as client:
        assert client.metadata["plans"] == ["heads", "latents"]
        usual, words, latents = (
            client.infer(asked | said) for said in ({}, {"planner": "heads"}, {"planner": "latents"})
        )
        with pytest.raises(PolicyError, match="planner: found 'vlm', this server has"):
            client.infer(asked | {"planner": "vlm"})
        with pytest.raises(PolicyError, match="planner: expected its name, beside the task"):
            client.infer(message(planner="heads"))
    assert usual["prompt"] == words["prompt"] == latents["prompt"] == planned.text
    np.testing.assert_array_equal(usual["actions"], words["actions"])
    assert not np.array_equal(words["actions"], latents["actions"])


def test_a_client_is_told_what_is_wrong(url: str) -> None:
    with PolicyClient(url) as client:
        with pytest.raises(PolicyError, match="prompt: found int") as caught:
            client.infer(message(prompt=3))
        assert caught.value.code == "bad_request"
        with pytest.raises(TypeError, match="object cannot be sent"):
            client.infer({"state": object()})
        assert len(client.infer(message())["actions"]) == 20


def test_several_clients_get_each_their_own(url: str, policy: WallWMPolicy) -> None:
    answers: dict[int, np.ndarray[Any, Any]] = {}

    def ask(seed: int) -> None:
        with PolicyClient(url) as client:
            for _ in range(3):
                answers[seed] = client.infer(message(seed=seed))["actions"]

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    for seed, actions in answers.items():
        np.testing.assert_array_equal(actions, policy.act(observation(), 1.0, seed).actions_20)


def test_its_health_is_told_over_http_while_clients_are_there(url: str) -> None:
    with PolicyClient(url), urllib.request.urlopen(url.replace("ws://", "http://") + "/healthz") as answer:
        said = json.load(answer)
    assert answer.status == 200
    assert said["status"] == "ok"
    assert said["clients"] >= 1


def test_a_client_that_vanishes_leaves_the_others_alone(url: str) -> None:
    lost = connect(url, max_size=None)
    lost.recv()
    lost.send(packed(message()))
    lost.socket.close()
    with PolicyClient(url) as client:
        assert len(client.infer(message())["actions"]) == 20


def test_a_rollout_over_the_server_is_the_rollout_here(url: str, policy: WallWMPolicy) -> None:
    planner = AsTold(Durations(DURATIONS_S))
    with PolicyClient(url) as client:
        there = event_rollout(RemotePolicy(client), planner, Reaching(), seed=2, max_s=2.0)
    here = event_rollout(policy, planner, Reaching(), seed=2, max_s=2.0)
    assert there.ticks == here.ticks > 20
    for act, same in zip(there.acts, here.acts, strict=True):
        np.testing.assert_array_equal(act.commanded_T20, same.commanded_T20)


def test_the_clients_one_file_is_enough_elsewhere(url: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "trainer/policy_client.py", tmp_path / "joinery_client.py")
    program = """
import sys, json, numpy as np
from joinery_client import PolicyClient
with PolicyClient(sys.argv[1]) as client:
    picture = np.zeros((64, 64, 3), np.uint8)
    images = {camera: picture for camera in client.metadata["cameras"]}
    answer = client.infer({"images": images, "state": np.zeros(20, np.float32), "prompt": "lift"})
print(json.dumps({"shape": answer["actions"].shape, "strangers": sorted({"torch", "trainer"} & set(sys.modules))}))
"""
    (tmp_path / "robot.py").write_text(program)
    said = subprocess.run([sys.executable, "robot.py", url], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(said.stdout) == {"shape": [12, 20], "strangers": []}


def test_a_page_in_a_browser_is_not_served(url: str) -> None:
    """Any page may open a websocket to this machine; its browser says whose page it is."""
    with pytest.raises(InvalidStatus) as refused:
        connect(url, origin=Origin("https://elsewhere.example"))
    assert refused.value.response.status_code == 403


def test_with_a_token_only_those_who_say_it_are_served(run: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef0123\n")
    with served(run, "--token-file", str(token)) as address:
        for wrong in ("", "0123456789abcdef012"):
            with pytest.raises(InvalidStatus) as refused:
                PolicyClient(address, token=wrong)
            assert refused.value.response.status_code == 401
        with PolicyClient(address, token=token.read_text().strip()) as client:
            assert client.infer(message())["duration_s"] == 1.0


def test_an_address_that_others_reach_asks_for_a_token() -> None:
    with pytest.raises(JoineryError, match="an address that others reach, and no token"):
        Listening("0.0.0.0", 0).token()
    assert Listening("127.0.0.1", 0).token() == ""
