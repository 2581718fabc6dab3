"""A real vLLM with a tiny random Qwen3-VL: schemas are enforced, and killed twice it loses and doubles nothing.

Slow (two to ten minutes on two cores). Part of `make test-slow`; by itself, after `make vllm`:
``.venv/bin/python -m pytest -m slow tests/jobs/vllm/test_real_server.py --timeout=3600``.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from annotators.vlm.cache import CachedAsker
from annotators.vlm.client import ServerAsker
from annotators.vlm.endpoint import Server
from annotators.vlm.metered import MeteredAsker
from annotators.vlm.request import Answer, Call, Refusal, Request, Stop
from annotators.vlm.secret import Secret
from jobs.vllm.command import CHECKOUT, Wanted
from jobs.vllm.fleet import LOOPBACK, ServerHost
from pipeline.blobs import Blobs
from pipeline.errors import ServiceError
from schemas.identity import canonical_json
from schemas.model_call import ModelCall
from schemas.recipe_vlm import StartVllm, VlmServersSpec, VlmSpec

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

PYTHON = CHECKOUT / ".venv-vllm" / "bin" / "python"
VLM = VlmSpec(model="tiny-vl", revision="random-0")
REQUESTS, KILLS = 200, 2
ARGUMENTS = ["--dtype", "float32", "--max-model-len", "2048", "--max-num-seqs", "8", "--enforce-eager"]
ARGUMENTS += ["--limit-mm-per-prompt", '{"image": 4, "video": 0}']
PATIENT = {"patience_s": 1500.0, "attempts": 8, "first_pause_s": 0.5, "longest_pause_s": 5.0, "concurrency": 8}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not PYTHON.exists():
        pytest.skip("no vLLM: `make vllm` installs it into .venv-vllm")
    out = tmp_path_factory.mktemp("model") / "tiny"
    subprocess.run([str(PYTHON), str(Path(__file__).with_name("tiny_model.py")), str(out)], check=True)
    return out


@pytest.fixture(scope="module")
def host(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHost]:
    start = StartVllm(
        weights=str(model),
        arguments=ARGUMENTS,
        environment={"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"},
        restarts=KILLS,
    )
    workspace = Blobs(str(tmp_path_factory.mktemp("workspace")))
    made = ServerHost(Wanted(VLM, start, Secret("sk-of-the-run"), 0), LOOPBACK, workspace, "logs/run-1/vllm-0.log")
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(host: ServerHost) -> Server:
    found = host.wait_ready()
    assert isinstance(found, Server), found
    return found


def asker(server: Server) -> ServerAsker:
    return ServerAsker(VLM, [server], VlmServersSpec.model_validate({"endpoints": [{"url": server.url}]} | PATIENT))


def picture(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 255, (64, 96, 3), np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def request(number: int, max_tokens: int = 96) -> Request:
    """Its schema lets the answer say one thing alone: whose it is. Longer ids take longer, so answers overtake."""
    properties = {"window": {"type": "string", "enum": [f"w{number}-" + "ab" * (number * 7 % 12)]}}
    schema = {"type": "object", "properties": properties, "required": ["window"], "additionalProperties": False}
    pictures = (picture(number), picture(number + 1))
    text = f"What happens in window {number}?"
    return Request(
        Call.TREE, f"w{number}", VLM.identity, "You see.", pictures, text, canonical_json(schema), max_tokens
    )


def test_the_server_is_what_the_recipe_says(server: Server) -> None:
    with asker(server) as who:
        who.check()
    with asker(replace(server, key=Secret("sk-wrong"))) as stranger, pytest.raises(ServiceError, match="HTTP 401"):
        stranger.check()


def test_what_a_server_cannot_take_is_refused_and_what_it_cannot_finish_is_truncated(server: Server) -> None:
    fine, short = request(1), request(2, max_tokens=2)
    no_picture = replace(request(3), images=(b"no picture",))
    too_many = replace(request(4), images=tuple(picture(i) for i in range(5)))
    too_long = replace(request(5), text="long " * 3000)
    with asker(server) as who:
        found = {each.key: each for each in who.ask([fine, short, no_picture, too_many, too_long])}
    assert len(found) == 5
    answer, cut = found[fine.key], found[short.key]
    assert isinstance(answer, Answer)
    assert (answer.stop, json.loads(answer.text)) == (Stop.DONE, {"window": request_says(1)})
    assert isinstance(cut, Answer)
    assert (cut.stop, cut.completion_tokens) == (Stop.TRUNCATED, 2)
    assert all(isinstance(found[each.key], Refusal) for each in (no_picture, too_many, too_long))


def request_says(number: int) -> str:
    (word,) = json.loads(request(number).schema)["properties"]["window"]["enum"]
    return str(word)


def test_200_requests_out_of_order_with_the_server_killed_twice(
    host: ServerHost, server: Server, tmp_path: Path
) -> None:
    requests = [request(i) for i in range(REQUESTS)]
    calls: list[ModelCall] = []
    came: list[Answer | Refusal] = []
    killed: list[int] = []

    def kill_when_it_works() -> None:
        """After 40 and 100 answers, so that each time others are in flight."""
        for after in (40, 100):
            while len(came) < after:
                time.sleep(0.01)
            (api_server,) = [pid for pid in processes_on(server) if not is_guard(pid)]
            os.kill(api_server, signal.SIGKILL)
            killed.append(len(came))

    killer = threading.Thread(target=kill_when_it_works, daemon=True)
    killer.start()
    with asker(server) as who:
        metered = MeteredAsker(CachedAsker(who, Blobs(str(tmp_path))), calls.append)
        for answer in metered.ask(requests):
            came.append(answer)  # noqa: PERF402 - the killer counts them
    killer.join(60)
    assert len(killed) == host.state().restarts == KILLS
    by_key = {each.key: each for each in requests}
    answers = [each for each in came if isinstance(each, Answer)]
    assert len(answers) == len(came) == len({each.key for each in answers}) == REQUESTS, "lost or doubled"
    said = {by_key[each.key].subject: json.loads(each.text)["window"] for each in answers}
    assert said == {f"w{i}": request_says(i) for i in range(REQUESTS)}, "joined to the wrong window"
    assert [by_key[each.key].subject for each in answers] != [each.subject for each in requests], "none overtook"
    again = max(call.attempts for call in calls)
    assert again >= 2, "no request was in flight when the server was killed"
    print(f"\n{REQUESTS} answered, killed after {killed}; sent: {sorted(Counter(c.attempts for c in calls).items())}")
    cached = MeteredAsker(CachedAsker(NobodyAnswers(), Blobs(str(tmp_path))), calls.append)
    assert {each.key for each in cached.ask(requests)} == set(by_key), "a second run makes no call"


class NobodyAnswers:
    """What a cached run must not need."""

    def ask(self, requests: object) -> Iterator[Answer | Refusal]:
        raise AssertionError(f"asked {requests}")


def processes_on(server: Server) -> list[int]:
    """Processes that name the server's port on their command line."""
    port = server.url.rpartition(":")[2].removesuffix("/v1").encode()
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if port in words_of(folder)]


def is_guard(pid: int) -> bool:
    return any(word.endswith(b"guard.py") for word in words_of(Path(f"/proc/{pid}")))


def words_of(folder: Path) -> list[bytes]:
    try:
        return (folder / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def test_nothing_is_left_running(host: ServerHost, server: Server) -> None:
    """Last in this file: the engine is a process of its own, and it is gone too."""
    assert processes_on(server)
    host.close()
    assert processes_on(server) == []
    engines = [folder for folder in Path("/proc").glob("[0-9]*") if words_of(folder)[:1] == [b"VLLM::EngineCore"]]
    mine = [folder.name for folder in engines if b"sk-of-the-run" in environment_of(folder)]
    assert mine == []


def environment_of(folder: Path) -> bytes:
    try:
        return (folder / "environ").read_bytes()
    except OSError:
        return b""
