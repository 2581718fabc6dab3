"""Reading a plan: the same draws in the same places, whoever reads them, however often they are killed."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.compile import Extent, compile_load_plan
from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.loader.audit import audit
from pipeline.loader.consumption import read_consumption, read_ledger
from pipeline.loader.decode import decode_clip
from pipeline.loader.frames import even_indices, frame_count
from pipeline.loader.locations import read_locations
from pipeline.loader.plan import LoadPlan
from pipeline.loader.plan_loader import LoadedStep, LoaderState, PlanLoader
from pipeline.loader.pool import Patience
from pipeline.loader.reader import ShardSet
from schemas.load_plan import WindowKind
from schemas.recipe_load import LoadSpec
from tests.pipeline.loader.conftest import N_STEPS
from tests.pipeline.loader.made_shards import write_load_plan, write_set
from tests.pipeline.loader.transforms import Sleepy, ids, place
from tests.pipeline.s3_server import s3_bucket
from tests.test_repository import ROOT

PAGE = ROOT / "docs" / "loader.md"

Steps = dict[int, list[list[Any]]]


def read(plan: Path, shards: Path, **options: Any) -> list[LoadedStep]:
    with PlanLoader(str(plan), str(shards), transform=ids, **options) as loader:
        return list(loader)


def windows(step: LoadedStep) -> list[list[Any]]:
    return [list(window) for pack in step.packs for window in pack.windows]


@pytest.fixture(scope="session")
def whole(load_plan: Path, made: Path, tmp_path_factory: pytest.TempPathFactory) -> Steps:
    """What an uninterrupted run reads, by step."""
    return {step.step: windows(step) for step in read(load_plan, made)}


def test_steps_are_the_plans_packs(load_plan: Path, made: Path, whole: Steps) -> None:
    plan = LoadPlan.open(str(load_plan))
    assert sorted(whole) == list(range(N_STEPS))
    with PlanLoader(str(load_plan), str(made)) as loader:
        for step, packs in zip(loader, map(plan.step, range(N_STEPS)), strict=True):
            assert [pack.slot for pack in step.packs] == [pack.slot for pack in packs]
            for loaded, planned in zip(step.packs, packs, strict=True):
                for window, draw in zip(loaded.windows, planned.draws, strict=True):
                    assert (window.draw, window.row, window.n_tokens) == (draw.draw, draw.event, draw.n_tokens)
                    assert (window.kind, window.first_frame, window.n_frames) == (
                        draw.kind,
                        draw.first_frame,
                        draw.n_frames,
                    )


@pytest.mark.parametrize("world", [1, 2, 3, 5, 8])
def test_any_number_of_ranks_reads_the_same(load_plan: Path, made: Path, whole: Steps, world: int) -> None:
    found: Steps = {step: [] for step in range(N_STEPS)}
    for rank in range(world):
        for step in read(load_plan, made, rank=rank, world=world):
            found[step.step] += windows(step)
    assert {step: sorted(items) for step, items in found.items()} == {
        step: sorted(items) for step, items in whole.items()
    }


@pytest.mark.parametrize("step", [0, 1, 7, N_STEPS - 1, N_STEPS])
def test_a_run_goes_on_at_any_step(load_plan: Path, made: Path, whole: Steps, step: int) -> None:
    found = {item.step: windows(item) for item in read(load_plan, made, start=step)}
    assert found == {number: items for number, items in whole.items() if number >= step}


def test_other_shards_of_the_same_events_are_read_alike(load_plan: Path, whole: Steps, tmp_path: Path) -> None:
    """In another order, of another size, under other names."""
    order = list(range(60))
    random.Random(1).shuffle(order)
    other = write_set(tmp_path / "other", order, per_shard=7, prefix="zz")
    assert {step.step: windows(step) for step in read(load_plan, other)} == whole


@pytest.mark.parametrize(("workers", "kills"), [(0, 1), (1, 1), (3, 1)])
def test_a_run_killed_at_random_steps_reads_what_one_left_alone_reads(
    load_plan: Path, made: Path, whole: Steps, tmp_path: Path, workers: int, kills: int
) -> None:
    """SIGKILL: no handler runs, nothing is flushed, and no worker stays behind."""
    rng, killed, pids = random.Random(workers), 0, set()
    while True:
        process = _started(load_plan, made, tmp_path, workers)
        assert process.stdout is not None
        stop = rng.randrange(2, 9) if killed < kills else N_STEPS
        for line in process.stdout:
            pids |= set(map(int, line.split()[1:]))
            stop -= 1
            if stop == 0:
                process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            break
        assert process.returncode == -signal.SIGKILL, "it fell over by itself"
        killed += 1
    assert killed == kills
    lines = [json.loads(line) for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    assert {step for step, _ in lines} == set(whole)
    assert all(items == whole[step] for step, items in lines), "also the steps that were done again"
    merged = read_consumption(tmp_path / "ledger")
    assert len(merged.steps) == N_STEPS
    assert [step[0].draws.tolist() for step in merged.steps] == [[item[0] for item in whole[i]] for i in range(N_STEPS)]
    deadline = time.monotonic() + 10
    while any(map(_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(_alive, pids))
    assert bool(pids) == bool(workers)


def _started(plan: Path, shards: Path, out: Path, workers: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.pipeline.loader.read_plan", str(plan), str(shards), str(out), str(workers)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_step_arrives_while_one_of_its_workers_still_sleeps(
    load_plan: Path, made: Path, whole: Steps, tmp_path: Path
) -> None:
    draw = whole[1][0][0]
    sleepy = Sleepy(str(tmp_path), draw, 60.0)
    patience = Patience(reissue_s=0.5, kill_s=600.0)
    with PlanLoader(str(load_plan), str(made), workers=2, transform=sleepy, patience=patience) as loader:
        for step in loader:
            assert windows(step) == whole[step.step]
        assert (tmp_path / "slept").exists()
        assert not (tmp_path / "woke").exists()
        assert loader.pool.happened.reissued >= 1


def test_a_state_of_another_plan_or_ledger_is_refused(load_plan: Path, made: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="which is not what this one grew from"):
        PlanLoader(str(load_plan), str(made), start=LoaderState("0" * 64, 3))
    with pytest.raises(StoreError, match=f"step 99 of a plan of {N_STEPS}"):
        PlanLoader(str(load_plan), str(made), start=99)
    with PlanLoader(str(load_plan), str(made), ledger=tmp_path / "a", transform=ids) as loader:
        next(iter(loader))
        state = loader.state()
    assert state.step == 1
    with PlanLoader(str(load_plan), str(made), start=state, ledger=tmp_path / "a", transform=ids) as loader:
        assert next(iter(loader)).step == 1
    with pytest.raises(StoreError, match="this is the ledger of another run"):
        PlanLoader(str(load_plan), str(made), start=state, ledger=tmp_path / "b")


def test_another_shard_set_is_refused(load_plan: Path, tmp_path: Path) -> None:
    other = write_set(tmp_path / "other", range(59))
    with (
        PlanLoader(str(load_plan), str(other)) as loader,
        pytest.raises(StoreError, match=r"compiled from other training events \(shard set ss-made\)"),
    ):
        next(iter(loader))


# -- damage ------------------------------------------------------------------------------------------------------------


def spoil(made: Path, copy: Path, wanted: set[tuple[int, str]]) -> set[tuple[str, str]]:
    """A copy in which these (row, member)s have other bytes; as (event id, member)."""
    shutil.copytree(made, copy)
    locations, found = read_locations(Blobs(str(made))), set()
    for row, name in wanted:
        location = locations[row]
        (member,) = (member for member in location.members if member.name == name)
        path = copy / f"{location.shard}.tar"
        data = bytearray(path.read_bytes())
        data[member.offset + member.n_bytes // 3] ^= 0x55
        path.write_bytes(data)
        found.add((location.event_id, name))
    return found


def test_one_view_in_a_hundred_spoiled_is_replaced_within_its_cell_and_exactly_those_are_in_the_ledger(
    tmp_path: Path,
) -> None:
    """Four of 400 views, of three events, all of which are drawn; two runs, and one with other workers."""
    shards, wanted = write_set(tmp_path / "set", range(200)), {(5, "front.mp4"), (123, "wrist.mp4")}
    wanted |= {(40, "front.mp4"), (40, "wrist.mp4")}
    write_load_plan(tmp_path / "plan", shards, 32)
    plan = LoadPlan.open(str(tmp_path / "plan"))
    planned = {draw.draw: draw for step in range(plan.n_steps) for pack in plan.step(step) for draw in pack.draws}
    assert {5, 40, 123} <= {draw.event for draw in planned.values()}
    spoiled = spoil(shards, tmp_path / "copy", wanted)
    ledgers = []
    for name, workers in (("a", 0), ("b", 0), ("c", 2)):
        options: dict[str, Any] = {"workers": workers, "ledger": tmp_path / name, "transform": place}
        with PlanLoader(str(tmp_path / "plan"), str(tmp_path / "copy"), **options) as loader:
            read = [window for step in loader for pack in step.packs for window in pack.windows]
        assert {draw: cell for draw, cell, _ in read} == {draw: item.cell for draw, item in planned.items()}
        assert all(n_tokens <= planned[draw].n_tokens for draw, _, n_tokens in read)
        ledgers.append((tmp_path / name / "rank-00000.ledger").read_bytes())
    assert ledgers[0] == ledgers[1] == ledgers[2]
    found = read_ledger(tmp_path / "a" / "rank-00000.ledger")
    swaps = [item for record in found.records for item in record.substitutions]
    assert {(event, member) for item in swaps for event, member, _ in item.refused} == spoiled
    assert {why for item in swaps for *_, why in item.refused} == {"checksum"}
    bad = {row for row, _ in wanted}
    assert {item.draw for item in swaps} == {draw.draw for draw in planned.values() if draw.event in bad}
    assert not {item.row for item in swaps} & bad
    report = audit(plan, tmp_path / "c", Blobs(str(shards)))
    assert report.ok, "cells keep their bounds"
    assert report.parts[0].tv["cell by draws"] == report.parts[1].tv["cell by draws"]


def test_a_resumed_run_replaces_alike(load_plan: Path, made: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    spoil(made, copy, {(5, "front.mp4"), (23, "wrist.mp4")})
    straight = {step.step: windows(step) for step in read(load_plan, copy)}
    for start in (3, 11):
        assert {step.step: windows(step) for step in read(load_plan, copy, start=start)} == {
            step: items for step, items in straight.items() if step >= start
        }


def test_a_cell_in_which_nothing_can_be_read_is_named(load_plan: Path, made: Path, tmp_path: Path) -> None:
    plan = LoadPlan.open(str(load_plan))
    cells = plan.events(plan.chapter(0))["cell"].tolist()
    rows = [row for row, cell in enumerate(cells) if cell == 2]
    copy = tmp_path / "copy"
    spoil(made, copy, {(row, "wrist.mp4") for row in rows})
    with PlanLoader(str(load_plan), str(copy), transform=ids) as loader, pytest.raises(StoreError) as error:
        list(loader)
    assert "nothing can take its place: of cell 2/0 every event this segment draws" in str(error.value)
    assert re.search(r"was refused \((?:[2-9]|1[0-5]) tried; ev-", str(error.value))
    assert "wrist.mp4: checksum" in str(error.value)


def test_windows_come_from_an_object_store(load_plan: Path, made: Path, whole: Steps) -> None:
    with s3_bucket("bucket") as storage:
        for folder, name in ((made, "set"), (load_plan, "plan")):
            for path in folder.iterdir():
                Blobs("s3://bucket", storage).put_bytes(f"{name}/{path.name}", path.read_bytes())
        with PlanLoader("s3://bucket/plan", "s3://bucket/set", storage=storage, transform=ids) as loader:
            for step in loader:
                assert windows(step) == whole[step.step]
                if step.step == 3:
                    break


def test_the_example_on_the_page_runs(load_plan: Path, made: Path, tmp_path: Path) -> None:
    """As a script, with workers and without a guard around it."""
    (example,) = re.findall(r"```python\n(from pipeline\.loader\.plan_loader.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(example.splitlines()) <= 10
    for named, path in (
        ("demo/plan", load_plan),
        ("demo/workspace/shards", made),
        ("demo/ledger", tmp_path / "ledger"),
    ):
        assert f'"{named}"' in example
        example = example.replace(f'"{named}"', repr(str(path)))
    script = tmp_path / "example.py"
    script.write_text(example + "print(state.step, front.shape, action is None or action.shape[1])\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, env=environment)
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith(f"{N_STEPS} (")
    assert len(read_consumption(tmp_path / "ledger").steps) == N_STEPS


def test_a_published_set_is_read_as_its_samples_are(folder: Path, opened: ShardSet, tmp_path: Path) -> None:
    """Cut, planned, published and compiled by the product itself; the wrist's camera runs at its own rate."""
    compile_load_plan(str(folder), str(tmp_path / "plan"), LoadSpec(packs_per_step=2), Extent(steps=6))
    samples = {sample.event_id: sample for _, sample in opened.iterate("train")}
    seen: set[tuple[str, WindowKind]] = set()
    with PlanLoader(str(tmp_path / "plan"), str(folder)) as loader:
        for window in (window for step in loader for pack in step.packs for window in pack.windows):
            sample = samples[window.event.event_id]
            first, times = window.first_frame, sample.view_times_ns[sample.master_view]
            shown = first + even_indices(window.n_frames, frame_count(window.n_frames, 33, 4))
            assert np.array_equal(window.times_ns, times[shown])
            for camera, pixels in window.pixels.items():
                own = sample.view_times_ns[camera]
                places = [max(int(np.searchsorted(own, t, side="right")) - 1, 0) for t in window.times_ns]
                assert np.array_equal(pixels, decode_clip(sample.views[camera])[places])
            if sample.action_times_ns is not None:
                rows = sample.action_times_ns >= times[first] if first else slice(None)
                assert window.event.action_T20 is not None
                assert sample.action_T20 is not None
                assert np.array_equal(window.event.action_T20, sample.action_T20[rows])
            seen.add((window.event.event_id, window.kind))
    assert {kind for _, kind in seen} == {WindowKind.EVENT, WindowKind.SUFFIX}
    assert len({event for event, _ in seen}) > 6
