"""What a batch takes while it is done: seconds, processor time, GPUs held, bytes.

Processor time counts the children of the worker too: a decoder that runs in a process of its own works for the batch.
A child that is started and ends between two looks is counted once it has been waited for, as the kernel does it.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import psutil

from pipeline.blobs import Blobs
from schemas.cost import COORDINATOR, SERVERS, BatchCost
from schemas.model_call import ModelCall
from schemas.source import EpisodeRef


class Meter:
    """Started when it is made; `cost` says what has been taken since."""

    def __init__(self, run_id: str, stage: str, gpus: float = 0.0) -> None:
        self._run_id, self._stage, self._gpus = run_id, stage, gpus
        self._began, self._cpu_before = time.monotonic(), cpu_seconds()
        self.blob_bytes = 0

    def blobs(self, blobs: Blobs) -> Blobs:
        """The same blobs; what is written through them is counted."""
        return MeteredBlobs(blobs.url, blobs.storage, self._count)

    def cost(
        self,
        items: int,
        failed: int,
        refs: Iterable[EpisodeRef | None],
        fragments: Mapping[str, Iterable[str]],
        calls: Iterable[ModelCall],
    ) -> BatchCost:
        """What was taken so far. ``refs``: whose source files were opened; ``fragments``: table files, as JSON."""
        seconds, calls = time.monotonic() - self._began, list(calls)
        return BatchCost(
            run_id=self._run_id,
            stage=self._stage,
            items=items,
            failed=failed,
            seconds=round(seconds, 3),
            cpu_s=round(max(0.0, cpu_seconds() - self._cpu_before), 3),
            gpu_s=round(seconds * self._gpus, 3),
            source_bytes=source_bytes(refs),
            stored_bytes=self.blob_bytes + sum(fragment_bytes(each) for name in fragments for each in fragments[name]),
            prompt_tokens=sum(call.prompt_tokens for call in calls),
            completion_tokens=sum(call.completion_tokens for call in calls),
            host=socket.gethostname(),
            pid=os.getpid(),
        )

    def _count(self, n_bytes: int) -> None:
        self.blob_bytes += n_bytes


class CoordinatorMeter:
    """What the process that started a run takes itself, without the batches it has done (executor inline).

    Its children count where it does batches itself, for what is done for a batch is counted with them. Where it has
    started Ray they are left out: the workers are among them.
    """

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._began, self._own_before, self._all_before = time.monotonic(), time.process_time(), cpu_seconds()
        self._in_batches_s = self._in_batches_cpu_s = 0.0

    def came(self, cost: BatchCost) -> None:
        """A batch came back; was it done in this process?"""
        if (cost.host, cost.pid) == (socket.gethostname(), os.getpid()):
            self._in_batches_s += cost.seconds
            self._in_batches_cpu_s += cost.cpu_s

    def cost(self) -> BatchCost:
        """What was taken so far."""
        seconds = max(0.0, time.monotonic() - self._began - self._in_batches_s)
        does_batches = self._in_batches_s > 0
        taken = cpu_seconds() - self._all_before if does_batches else time.process_time() - self._own_before
        cpu_s = max(0.0, taken - self._in_batches_cpu_s)
        return _beside(self._run_id, COORDINATOR, seconds, cpu_s, 0.0)


@dataclass(frozen=True)
class MeteredBlobs(Blobs):
    """Blobs that say how much is written through them."""

    count: Callable[[int], None] = field(default=lambda _n_bytes: None, compare=False)

    def put(self, path: str, write: Callable[[BinaryIO], None]) -> None:
        """`Blobs.put`, counted once the blob is there."""
        sizes: list[int] = []

        def measured(stream: BinaryIO) -> None:
            write(stream)
            sizes.append(stream.tell())

        super().put(path, measured)
        self.count(sizes[-1])  # the last: a write that had to be repeated is one blob


def servers_cost(run_id: str, seconds: float, gpus: int) -> BatchCost:
    """What servers held that a run has started for itself, from their start on; their processor time is not known."""
    return _beside(run_id, SERVERS, seconds, 0.0, seconds * gpus)


def _beside(run_id: str, what: str, seconds: float, cpu_s: float, gpu_s: float) -> BatchCost:
    """A cost that is no batch's."""
    times = (round(seconds, 3), round(cpu_s, 3), round(gpu_s, 3))
    return BatchCost(run_id, what, 0, 0, *times, 0, 0, 0, 0, socket.gethostname(), os.getpid())


def cpu_seconds() -> float:
    """User and system time of this process, of its descendants, and of those that have ended and been waited for."""
    times = os.times()
    total = time.process_time() + times.children_user + times.children_system
    for child in psutil.Process().children(recursive=True):
        try:
            own = child.cpu_times()
        except psutil.Error:  # it has just ended
            continue
        total += own.user + own.system + getattr(own, "children_user", 0.0) + getattr(own, "children_system", 0.0)
    return total


def source_bytes(refs: Iterable[EpisodeRef | None]) -> int:
    """Size of the files of some recordings; a file that holds several of them counts once."""
    files = {(ref.root, file.path): file.n_bytes for ref in refs if ref is not None for file in ref.files}
    return sum(files.values())


def fragment_bytes(fragment: str) -> int:
    """Size of the files of a table's fragment (`Workspace.write_fragments`)."""
    return sum(file.get("file_size_bytes") or 0 for file in json.loads(fragment)["files"])
