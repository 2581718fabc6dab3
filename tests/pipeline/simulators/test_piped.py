"""A task at the other end of a pipe is the same task."""

import io
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import JoineryError, ServiceError
from pipeline.simulators.named import task_named, task_names
from pipeline.simulators.piped import PipedTask, receive, send
from pipeline.synthetic.task import DemoTask, demo_sources


class Served(DemoTask):
    """A task without arguments, which talks where it should not."""

    def __init__(self) -> None:
        super().__init__(demo_sources()["open_robot"])
        print("simulators talk")


@pytest.fixture(scope="module")
def piped() -> Iterator[PipedTask]:
    task = PipedTask.started(f"{__name__}:Served", Path(sys.executable))
    with closing(task):
        yield task


def test_a_child_plays_as_the_task_itself_does(piped: PipedTask) -> None:
    own = Served()
    assert (piped.version, piped.embodiment, piped.source, piped.rate_hz) == (
        own.version, own.embodiment, own.source, own.rate_hz,
    )  # fmt: skip
    here, there = own.reset(2), piped.reset(2)
    assert piped.instruction == own.instruction
    assert [event.verb for event in piped.events] == [event.verb for event in own.events]
    told = piped.demonstration
    assert len(told) == len(own.demonstration)
    for number, row in enumerate(told):
        for arm, pose in here.arms.items():
            assert np.array_equal(pose.position, there.arms[arm].position)
            assert np.array_equal(pose.rotation, there.arms[arm].rotation)
        if number % 50 == 0:
            assert {camera: picture.tolist() for camera, picture in there.pictures.items()} == {
                camera: picture.tolist() for camera, picture in here.pictures.items()
            }
        here, there = own.step(row), piped.step(row)
        assert list(piped.done()) == list(own.done())
    assert all(piped.done())
    assert piped.success()


def test_a_moment_that_has_passed_cannot_be_looked_at(piped: PipedTask) -> None:
    before = piped.reset(0)
    after = piped.step(before.arms)
    with pytest.raises(RuntimeError, match="passed"):
        before.pictures["wrist"]
    assert after.pictures["wrist"].shape == (144, 192, 3)


def test_a_child_that_cannot_start_says_what_to_do() -> None:
    with pytest.raises(ServiceError, match="make sim"):
        PipedTask.started("no.such.module:Task", Path(sys.executable))


def test_messages_come_back_as_they_were_and_end_with_the_stream() -> None:
    stream = io.BytesIO()
    send(stream, {"do": "reset", "seed": 3}, {"a": np.arange(6.0).reshape(2, 3)})
    stream.seek(0)
    answer = receive(stream)
    assert answer is not None
    assert answer[0] == {"do": "reset", "seed": 3}
    assert np.array_equal(answer[1]["a"], np.arange(6.0).reshape(2, 3))
    assert receive(stream) is None


def test_tasks_have_names() -> None:
    assert task_named("demo").source == "open_robot"
    assert all(task_named(name).source == name.removeprefix("demo:") for name in task_names() if ":" in name)
    for unknown in ("demo:umi", "chess"):
        with pytest.raises(JoineryError, match="demo:teleop"):
            task_named(unknown)
