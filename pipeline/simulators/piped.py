"""A task that runs in a process of its own, often with another Python: both ends of the pipe between.

MuJoCo's simulators need versions of NumPy and others that the trainer does not run with, so they have an environment of
their own (`make sim`). The child obeys one request at a time over its standard streams and ends with its parent: no
port, no server. A message is its length and an npz with one JSON text and arrays; there is no pickle.

    python -m pipeline.simulators.piped MODULE:CLASS
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from pipeline.errors import ServiceError
from pipeline.recovery.demonstration import Pose
from pipeline.recovery.simulator import Moment
from pipeline.simulators.pictures import Picture, Pictures
from pipeline.simulators.task import SimulatedTask, TaskEvent
from schemas.episode import Arm
from schemas.event import Verb

PYTHON = Path(".venv-sim") / "bin" / "python"
"""Of the simulators' environment, below the folder Joinery was installed from or is run in."""
_LENGTH = 8
Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]


class PipedTask:
    """A `SimulatedTask` in a child process."""

    def __init__(self, child: subprocess.Popen[bytes], name: str) -> None:
        self._child, self._name = child, name
        self._facts, _ = self._ask({"do": "facts"})
        self._moment = 0

    @staticmethod
    def started(task: str, python: Path | None = None) -> PipedTask:
        """Start ``MODULE:CLASS``. Raises ServiceError with its words when it cannot start."""
        root = Path(__file__).resolve().parents[2]
        named = [path for path in (python, Path.cwd() / PYTHON, root / PYTHON) if path is not None and path.exists()]
        command = [str(named[0]) if named else sys.executable, "-m", __spec__.name, task]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        return PipedTask(child, task)

    @property
    def version(self) -> str:
        return str(self._facts["version"])

    @property
    def embodiment(self) -> str:
        return str(self._facts["embodiment"])

    @property
    def source(self) -> str:
        return str(self._facts["source"])

    @property
    def rate_hz(self) -> float:
        return float(self._facts["rate_hz"])

    @property
    def instruction(self) -> str:
        return str(self._facts["instruction"])

    @property
    def events(self) -> Sequence[TaskEvent]:
        return [
            TaskEvent(Verb(each["verb"]), Arm(each["arm"]), each["item"], each["goal"], each["shift_m"])
            for each in self._facts["events"]
        ]

    @property
    def demonstration(self) -> Sequence[Mapping[Arm, Pose]]:
        said, arrays = self._ask({"do": "demonstration"})
        return [_poses(arrays, str(row)) for row in range(said["rows"])]

    def reset(self, seed: int) -> Moment:
        return self._moment_of(*self._ask({"do": "reset", "seed": seed}))

    def step(self, setpoints: Mapping[Arm, Pose]) -> Moment:
        return self._moment_of(*self._ask({"do": "step"}, _arrays(setpoints, "")))

    def done(self) -> Sequence[bool]:
        return [bool(each) for each in self._facts["done"]]

    def success(self) -> bool:
        return bool(self._facts["success"])

    def close(self) -> None:
        """The child ends when its input does."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        self._child.stdout.close()
        self._child.wait(timeout=60)

    def _moment_of(self, facts: dict[str, Any], arrays: Arrays) -> Moment:
        self._facts = facts
        self._moment += 1
        moment = self._moment

        def look(camera: str) -> Picture:
            if moment != self._moment:
                raise RuntimeError(f"{self._name}: the moment has passed; look before the next step")
            return cast(Picture, self._ask({"do": "look", "camera": camera})[1]["picture"])

        return Moment(_poses(arrays, ""), Pictures(tuple(facts["cameras"]), look))

    def _ask(self, request: dict[str, Any], arrays: Arrays | None = None) -> tuple[dict[str, Any], Arrays]:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            send(self._child.stdin, request, arrays or {})
            answer = receive(self._child.stdout)
        except OSError:
            answer = None
        if answer is None:
            code = self._child.wait()
            raise ServiceError(
                f"{self._name}: the simulator's process ended with status {code}; its words are above. "
                "Simulators have an environment of their own: `make sim` makes it (docs/evaluate.md)"
            )
        return answer


def serve(task: SimulatedTask, requests: IO[bytes], answers: IO[bytes]) -> None:
    """Obey until the requests end."""
    moment: Moment | None = None
    while (received := receive(requests)) is not None:
        request, arrays = received
        match request["do"]:
            case "facts":
                send(answers, _lasting(task), {})
            case "reset" | "step":
                moment = task.reset(request["seed"]) if request["do"] == "reset" else task.step(_poses(arrays, ""))
                send(answers, _lasting(task) | _passing(task, moment), _arrays(moment.arms, ""))
            case "look":
                assert moment is not None
                send(answers, {}, {"picture": moment.pictures[request["camera"]]})
            case "demonstration":
                rows = task.demonstration
                told = {name: each for row, poses in enumerate(rows) for name, each in _arrays(poses, str(row)).items()}
                send(answers, {"rows": len(rows)}, told)


def _lasting(task: SimulatedTask) -> dict[str, Any]:
    return {name: getattr(task, name) for name in ("version", "embodiment", "source", "rate_hz")}


def _passing(task: SimulatedTask, moment: Moment) -> dict[str, Any]:
    return {
        "instruction": task.instruction,
        "events": [
            {"verb": each.verb, "arm": each.arm, "item": each.item, "goal": each.goal, "shift_m": each.shift_m}
            for each in task.events
        ],
        "done": list(task.done()),
        "success": task.success(),
        "cameras": list(moment.pictures),
    }


def _arrays(poses: Mapping[Arm, Pose], prefix: str) -> Arrays:
    return {
        f"{prefix}.{arm}": np.concatenate([pose.position, pose.rotation.reshape(-1), [pose.opening]])
        for arm, pose in poses.items()
    }


def _poses(arrays: Arrays, prefix: str) -> dict[Arm, Pose]:
    found = {}
    for arm in Arm:
        values = arrays.get(f"{prefix}.{arm}")
        if values is not None:
            found[arm] = Pose(values[:3], values[3:12].reshape(3, 3), float(values[12]))
    return found


def send(stream: IO[bytes], text: Mapping[str, Any], arrays: Arrays) -> None:
    """Write one message."""
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, json=np.frombuffer(json.dumps(text).encode(), np.uint8), **arrays)
    data = packed.getvalue()
    stream.write(len(data).to_bytes(_LENGTH, "big") + data)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], Arrays] | None:
    """Read one message; None where the stream has ended."""
    head = stream.read(_LENGTH)
    if len(head) < _LENGTH:
        return None
    data = stream.read(int.from_bytes(head, "big"))
    with np.load(io.BytesIO(data), allow_pickle=False) as loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    return json.loads(arrays.pop("json").tobytes()), arrays


def main(arguments: Sequence[str]) -> int:
    """The child. What the simulator prints goes to the error stream, since the answers have the other."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    module, _, name = arguments[0].partition(":")
    serve(cast(SimulatedTask, getattr(import_module(module), name)()), sys.stdin.buffer, answers)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
