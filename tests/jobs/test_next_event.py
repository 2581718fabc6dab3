"""A vision-language model plans events: a real client, a real server on the other side of a socket."""

import base64
import json
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from jobs.next_event import vlm_planners
from pipeline.errors import JoineryError, ServiceError
from tests.annotators.vlm.faulty_server import MODEL, FaultyServer, Handler
from tests.trainer.policies import checkpoint_in, observation
from tests.trainer.serving import served
from trainer.next_event import NextEvent, PastEvent, PlannerError
from trainer.policy_client import PolicyClient, PolicyError

EVENTS = ("Grasp the cup", "Lift the cup")


class Director(Handler):
    """Says the events one after the other, by how many are done; nonsense about a task called so."""

    def do_POST(self) -> None:  # noqa: N802 - the name it overrides
        body = self.rfile.peek(int(self.headers["content-length"]))
        self.sent = json.loads(body[: int(self.headers["content-length"])])
        super().do_POST()

    def _go_wrong(self, fault: str, value: str, text: str) -> None:
        *pictures, question = self.sent["messages"][-1]["content"]
        colours = [cv2.imdecode(self.pixels(each), cv2.IMREAD_COLOR_RGB).mean(axis=(0, 1)) for each in pictures]
        done = question["text"].count(". ")
        if "nonsense" in question["text"]:
            self._answer(json.dumps({"done": False, "text": "", "seconds": 1.0}))
            return
        told = {"done": done >= len(EVENTS), "text": EVENTS[min(done, 1)], "seconds": 1.0 + done}
        told["text"] = "Stop" if not colours or np.stack(colours).max() < 30 else told["text"]
        self._answer(json.dumps(told))

    @staticmethod
    def pixels(part: dict[str, dict[str, str]]) -> np.ndarray:
        return np.frombuffer(base64.b64decode(part["image_url"]["url"].split(",")[1]), np.uint8)


@contextmanager
def director(folder: Path) -> Iterator[str]:
    server = FaultyServer(("127.0.0.1", 0), Director)
    server.options = Namespace(model=MODEL, key="", blind=False, ignore_schema=False, echo=True, state=str(folder))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with director(tmp_path_factory.mktemp("vlm")) as address:
        yield address


def test_the_model_says_event_after_event_until_the_task_is_done(url: str) -> None:
    with vlm_planners(url, MODEL, None) as planner:
        task, seen = planner("clear the table"), observation()
        assert task.next(seen, []) == NextEvent("Grasp the cup", 1.0)
        past = [PastEvent("Grasp the cup", 1.0)]
        assert task.next(seen, past) == NextEvent("Lift the cup", 2.0)
        assert task.next(seen, [*past, PastEvent("Lift the cup", 2.0)]) is None


def test_an_answer_that_is_no_event_twice_is_an_error(url: str) -> None:
    with vlm_planners(url, MODEL, None) as planner, pytest.raises(PlannerError, match="no usable answer, 2 times"):
        planner("nonsense").next(observation(), [])


def test_servers_that_are_not_there_are_found_out_at_the_start(url: str) -> None:
    with pytest.raises(ServiceError), vlm_planners(url, "another-model", None):
        pass
    with pytest.raises(JoineryError, match="--vlm nowhere"), vlm_planners("nowhere", MODEL, None):
        pass


def test_a_policy_server_plans_for_its_clients(url: str, tmp_path: Path) -> None:
    seen = observation()
    asked = {"images": dict(seen.pictures), "state": seen.state_20, "state_known": seen.state_known_20}
    with (
        served(checkpoint_in(tmp_path), "--vlm", url, "--vlm-model", MODEL) as address,
        PolicyClient(address) as client,
    ):
        assert client.metadata["plans"]
        first = client.infer({**asked, "task": "clear the table"})
        assert (first["prompt"], first["duration_s"]) == ("Grasp the cup", 1.0)
        assert client.infer({**asked, "task": "clear the table", "past": list(EVENTS)}) == {"done": True}
        with pytest.raises(PolicyError, match="failed: PlannerError"):
            client.infer({**asked, "task": "nonsense"})
        with pytest.raises(PolicyError, match="neither prompt nor duration_s"):
            client.infer({**asked, "task": "clear", "prompt": "grasp"})
