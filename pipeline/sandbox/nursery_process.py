"""The worker's handle on a nursery: starting it, giving it an item, hearing how the item ended."""

import json
import os
import select
import socket
import subprocess
import sys
from dataclasses import asdict
from multiprocessing.connection import Connection

from pipeline.errors import JoineryError
from pipeline.sandbox.confinement import Allowance
from pipeline.sandbox.nursery import ALIVE, MESSAGE_BYTES, STOP, Ended

STARTING_S = 300.0
"""Importing takes a second, and minutes where the machine is busy with other things."""
ENDING_S = 60.0
_KEPT = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "SYSTEMROOT")
"""Of the worker's environment: nothing that anybody would keep a secret in."""
_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""As in the worker, and so that the nursery has one thread, which forking needs."""
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from pipeline.sandbox.nursery import main; main(int(sys.argv[1]))"
)


class LostError(Exception):
    """The nursery is gone, and with it the item: killed from outside."""


class NurseryProcess:
    """One nursery; does one item at a time."""

    def __init__(self) -> None:
        """Raises JoineryError when it does not start."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [
            sys.executable,
            "-c",
            _BOOT,
            str(theirs.fileno()),
            json.dumps([os.path.abspath(place) for place in sys.path]),
        ]
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | _THREADS
        with theirs:
            self._process = subprocess.Popen(
                command, pass_fds=(theirs.fileno(),), env=environment, stdin=subprocess.DEVNULL, start_new_session=True
            )
        if self._heard(STARTING_S) != b"ready":
            self.close()
            raise JoineryError(
                f"the decoding process did not start (status {self._process.returncode}); its errors stand above. "
                "`run.sandbox.mode: off` does without it"
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def begin(self, allowance: Allowance, source_format: str) -> Connection:
        """Fork a process that decodes an item of this format; returns the way to it. Raises LostError."""
        ours, theirs = socket.socketpair()
        wanted = json.dumps({"format": source_format, "allowance": asdict(allowance)})
        with theirs:
            try:
                socket.send_fds(self._control, [wanted.encode()], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise LostError from error
        return Connection(ours.detach())

    def alive(self) -> None:
        """The item is at work; its clock starts anew."""
        self._say(ALIVE)

    def stop(self) -> None:
        """End the item, if it has not ended."""
        self._say(STOP)

    def ended(self) -> Ended:
        """How the item ended; waits for it. Raises LostError."""
        told = self._heard(ENDING_S)
        if not told:
            raise LostError
        return Ended(**json.loads(told))

    def close(self) -> None:
        """End the nursery and whatever it has forked."""
        self._control.close()
        try:
            self._process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _say(self, word: bytes) -> None:
        try:
            self._control.send(word)
        except OSError:
            return  # it is gone, which `ended` tells

    def _heard(self, patience_s: float) -> bytes:
        """A message; empty when there is none in time, or ever."""
        ready, _, _ = select.select([self._control], [], [], patience_s)
        try:
            return self._control.recv(MESSAGE_BYTES) if ready else b""
        except OSError:
            return b""
