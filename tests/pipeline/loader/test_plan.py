"""Reading a load plan: any step at any time, the same packs whoever asks, and nothing that is not what was compiled."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import StoreError
from pipeline.loader.plan import COLUMNS, LoadPlan
from schemas.load_plan import HEADER, Superseded, WindowKind
from tests.pipeline.loader.made_plan import segment_arrays, write_plan


def test_steps_are_the_packs_of_the_segments_in_order(tmp_path: Path) -> None:
    write_plan(tmp_path)
    plan = LoadPlan.open(str(tmp_path))
    assert plan.n_steps == 7
    packs = [pack for step in range(7) for pack in plan.step(step)]
    assert [pack.slot for pack in packs] == [0, 1, 2] * 7
    first, second = segment_arrays(12, 0, 0), segment_arrays(9, len(segment_arrays(12, 0, 0)["draw"]), 1)
    expected = [start for arrays in (first, second) for start in np.diff(arrays["pack_start"]).tolist()]
    assert [len(pack.draws) for pack in packs] == expected
    draws = [draw for pack in packs for draw in pack.draws]
    assert sorted(draw.draw for draw in draws) == list(range(len(draws)))
    assert [draw.event for draw in draws] == [*first["event"].tolist(), *second["event"].tolist()]
    assert {type(draw.kind) for draw in draws} == {WindowKind}
    assert all(pack.n_tokens == sum(8 * draw.n_frames + 1 for draw in pack.draws) for pack in packs)


@pytest.mark.parametrize("world", [1, 2, 3, 5, 8])
def test_every_number_of_ranks_sees_the_same_packs(tmp_path: Path, world: int) -> None:
    write_plan(tmp_path)
    plan = LoadPlan.open(str(tmp_path))
    for step in range(plan.n_steps):
        ranks = [plan.rank_packs(step, rank, world) for rank in range(world)]
        together = sorted((pack for packs in ranks for pack in packs), key=lambda pack: pack.slot)
        assert tuple(together) == plan.step(step)


def test_a_plan_reads_alike_in_another_process_and_in_any_order(tmp_path: Path) -> None:
    write_plan(tmp_path)
    plan = LoadPlan.open(str(tmp_path))
    forwards = [plan.step(step) for step in range(7)]
    other = pickle.loads(pickle.dumps(plan))
    assert [other.step(step) for step in reversed(range(7))] == forwards[::-1]


def test_columns_of_a_segment_are_what_its_steps_say(tmp_path: Path) -> None:
    write_plan(tmp_path)
    plan = LoadPlan.open(str(tmp_path))
    columns = plan.segment_arrays(1)
    draws = [draw for step in range(4, 7) for pack in plan.step(step) for draw in pack.draws]
    for name in COLUMNS:
        assert columns[name].tolist() == [getattr(draw, name) for draw in draws]
    assert plan.cells(plan.chapter(0)).mass.tolist() == [0.5, 0.5]


def test_a_run_goes_on_where_its_steps_are_unchanged(tmp_path: Path) -> None:
    history = (
        Superseded(plan_hash="a", n_steps=3, kept_steps=3, why="extended"),
        Superseded(plan_hash="b", n_steps=9, kept_steps=2, why="weights changed"),
    )
    header = write_plan(tmp_path, history=history)
    plan = LoadPlan.open(str(tmp_path))
    assert plan.continues(header.plan_hash, 7)
    assert not plan.continues(header.plan_hash, 8)
    assert plan.continues("b", 2)
    assert not plan.continues("b", 3)
    assert plan.continues("a", 2)
    assert not plan.continues("a", 3), "its third step was cut off later"
    assert not plan.continues("c", 0)


def test_no_plan_and_a_plan_of_another_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"found no plan\.json.*joinery compile"):
        LoadPlan.open(str(tmp_path))
    write_plan(tmp_path)
    header = json.loads((tmp_path / HEADER).read_text())
    (tmp_path / HEADER).write_text(json.dumps({**header, "joinery_load_plan": 7}))
    with pytest.raises(StoreError, match="format 7, expected 1"):
        LoadPlan.open(str(tmp_path))
    del header["n_steps"]
    (tmp_path / HEADER).write_text(json.dumps(header))
    with pytest.raises(StoreError, match="no load plan: Field required"):
        LoadPlan.open(str(tmp_path))


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("segments", "sha256", "0" * 64), ("segments", "n_steps", 3), ("chapters", "first_draw", 5)],
)
def test_a_header_that_was_changed_breaks_the_chain(tmp_path: Path, section: str, key: str, value: object) -> None:
    write_plan(tmp_path)
    header = json.loads((tmp_path / HEADER).read_text())
    header[section][0][key] = value
    (tmp_path / HEADER).write_text(json.dumps(header))
    with pytest.raises(StoreError, match=r"segment-000000\.npz does not follow"):
        LoadPlan.open(str(tmp_path))


def test_a_header_without_its_last_segment_is_refused(tmp_path: Path) -> None:
    write_plan(tmp_path)
    header = json.loads((tmp_path / HEADER).read_text())
    del header["segments"][-1]
    (tmp_path / HEADER).write_text(json.dumps(header))
    with pytest.raises(StoreError, match="not that of its last segment"):
        LoadPlan.open(str(tmp_path))


def test_a_segment_that_was_changed_is_refused(tmp_path: Path) -> None:
    write_plan(tmp_path)
    path = tmp_path / "segment-000001.npz"
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"n_tokens.npy") + 150] ^= 1
    path.write_bytes(raw)
    plan = LoadPlan.open(str(tmp_path))
    assert plan.step(3)
    with pytest.raises(StoreError, match=r"segment-000001\.npz"):
        plan.step(4)
    path.unlink()
    with pytest.raises(StoreError, match=r"segment-000001\.npz"):
        plan.step(4)


def test_steps_and_ranks_that_do_not_exist_are_named(tmp_path: Path) -> None:
    write_plan(tmp_path)
    plan = LoadPlan.open(str(tmp_path))
    for step in (-1, 7):
        with pytest.raises(IndexError, match=f"step {step} of a plan of 7"):
            plan.step(step)
    with pytest.raises(ValueError, match="rank 2 of 2"):
        plan.rank_packs(0, 2, 2)
