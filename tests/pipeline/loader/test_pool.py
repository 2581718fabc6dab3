"""Workers: what they answer, and what happens when they do not."""

import dataclasses
import os
import time
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.blobs import Blobs
from pipeline.errors import JoineryError, ServiceError, StoreError
from pipeline.loader import pool as pool_module
from pipeline.loader import torchcodec_clip
from pipeline.loader.decode import Decoder
from pipeline.loader.pool import DEFAULT_PATIENCE, Patience, WorkerPool
from pipeline.loader.range_reader import RangeReader
from pipeline.loader.window import Window
from pipeline.loader.worker import Job, job_of, receive, send
from tests.pipeline.loader import transforms
from tests.pipeline.loader.made_requests import location, request

EVENTS = (4, 9, 13, 21)


def pool(
    made: Path, n_workers: int, transform: Any = transforms.ids, patience: Patience = DEFAULT_PATIENCE
) -> WorkerPool:
    return WorkerPool(Job(RangeReader(Blobs(str(made))), "auto", transform), n_workers, patience)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def all_of(workers: WorkerPool, made: Path) -> list[Any]:
    for event in EVENTS:
        workers.submit(event, request(made, event, draw=event))
    return [workers.take(event) for event in reversed(EVENTS)]


def test_any_number_of_workers_gives_the_same_answers_and_none_stays_behind(made: Path) -> None:
    alone = all_of(pool(made, 0), made)
    assert [draw for draw, _, _ in alone] == list(reversed(EVENTS))
    workers = pool(made, 2)
    assert all_of(workers, made) == alone
    pids = workers.pids
    assert pids
    workers.close()
    assert not any(alive(pid) for pid in pids)


@pytest.fixture(scope="module")
def one(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerPool]:
    """A single worker, whose transform does something else for every draw."""
    workers = pool(made, 1, transforms.Moody(str(tmp_path_factory.mktemp("moody"))))
    yield workers
    workers.close()


def asked(workers: WorkerPool, made: Path, draw: int, **changed: Any) -> Any:
    workers.submit(draw, dataclasses.replace(request(made, 4, draw=draw), **changed))
    return workers.take(draw)


def test_arrays_cross_whole_and_may_be_written_to(made: Path, one: WorkerPool) -> None:
    found, here = asked(one, made, transforms.WHOLE), asked(pool(made, 0, None), made, transforms.WHOLE)
    assert isinstance(found, Window)
    assert np.array_equal(found.pixels["wrist"], here.pixels["wrist"])
    assert np.array_equal(found.event.action_T20, here.event.action_T20)
    found.pixels["wrist"][:] = 1


def test_what_goes_wrong_reaches_whoever_asked(made: Path, one: WorkerPool) -> None:
    with pytest.raises(JoineryError, match=r"draw 2 \(ev-(?s:.*)ZeroDivisionError: a bug in the transform"):
        asked(one, made, transforms.WRONG)
    with pytest.raises(ZeroDivisionError):
        asked(pool(made, 0, transforms.Moody("")), made, transforms.WRONG)
    with pytest.raises(JoineryError, match="what the transform returns cannot be sent"):
        asked(one, made, transforms.UNSENDABLE)
    with pytest.raises(StoreError, match=r"elsewhere\.tar: the manifest names this shard but it is not there"):
        asked(one, made, 50, location=dataclasses.replace(location(made, 4), shard="elsewhere"))
    assert one.happened.replaced == 0, "none of it costs a worker"


def test_a_worker_that_dies_is_replaced_and_its_request_done_by_another(made: Path, one: WorkerPool) -> None:
    assert asked(one, made, transforms.DEADLY_ONCE)[0] == transforms.DEADLY_ONCE
    assert one.happened.replaced == 1


def test_a_request_that_kills_every_worker_is_named(
    made: Path, one: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "MAX_DEATHS", 2)
    with pytest.raises(ServiceError, match=r"draw 5 \(ev-.*: 2 workers died or hung over it"):
        asked(one, made, transforms.DEADLY)


def test_a_request_whose_worker_sleeps_is_done_by_another_meanwhile(made: Path, tmp_path: Path) -> None:
    workers = pool(made, 2, transforms.Sleepy(str(tmp_path), 9, 60.0), Patience(reissue_s=0.5, kill_s=600.0))
    assert [draw for draw, _, _ in all_of(workers, made)] == list(reversed(EVENTS))
    assert not (tmp_path / "woke").exists(), "the answers are here and the worker still sleeps"
    assert alive(int((tmp_path / "pid").read_text()))
    assert workers.happened.reissued >= 1, "more on a busy machine, where others are slow too"
    assert workers.happened.replaced == 0
    workers.close()
    assert not alive(int((tmp_path / "pid").read_text()))


def test_a_worker_that_hangs_is_replaced(made: Path, tmp_path: Path) -> None:
    """With one worker nobody else can take over: it must be killed."""
    workers = pool(made, 1, transforms.Sleepy(str(tmp_path), 9, 60.0), Patience(reissue_s=0.3, kill_s=6.0))
    assert [draw for draw, _, _ in all_of(workers, made)] == list(reversed(EVENTS))
    assert workers.happened.replaced == 1
    assert not (tmp_path / "woke").exists()
    deadline = time.monotonic() + 5
    while alive(int((tmp_path / "pid").read_text())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(int((tmp_path / "pid").read_text()))
    workers.close()


@pytest.mark.parametrize(("decoder", "expected"), [("auto", ["torchcodec"]), ("pyav", [])])
def test_what_decoding_imports_is_no_part_of_the_first_request(
    made: Path, decoder: Decoder, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch alone may take longer to import, on a busy machine, than a request may take."""
    imported: list[str] = []
    monkeypatch.setattr(torchcodec_clip, "usable", lambda: imported.append("torchcodec"))
    ours, theirs = Pipe()
    send(ours, Job(RangeReader(Blobs(str(made))), decoder, None))
    job_of(theirs)
    assert receive(ours) is None, "it is ready"
    assert imported == expected


def test_a_transform_of_the_script_itself_and_a_negative_number_are_refused(made: Path) -> None:
    local = type("Local", (), {"__module__": "__main__", "__call__": lambda self, window: window})()
    with pytest.raises(ValueError, match="defined in the script itself"):
        pool(made, 1, local)
    with pytest.raises(ValueError, match="workers: found -1"):
        pool(made, -1)
