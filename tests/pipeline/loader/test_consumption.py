"""The ledger: nothing is rewritten, nothing can be changed unnoticed, and a kill costs at most the last record."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import StoreError
from pipeline.loader.consumption import (
    Consumed,
    ConsumptionLedger,
    Substitution,
    read_consumption,
    read_ledger,
)

SWAP = Substitution(7, 3, 1, 0, 9, 40, (("ev-a", "front.mp4", "checksum"),))


def record(step: int, world: int = 1, n: int = 5) -> Consumed:
    swaps = (SWAP,) if step % 3 == 2 else ()
    return Consumed(step, world, np.arange(n)[::-1] + 2**40 + step * n, swaps)


def written(folder: Path, steps: list[int], rank: int = 0, world: int = 1) -> Path:
    ledger = ConsumptionLedger(folder, "p" * 64, rank)
    for step in steps:
        ledger.append(record(step, world))
    ledger.close()
    return ledger.path


def said(item: Consumed) -> tuple[object, ...]:
    return item.step, item.world, item.draws.tolist(), item.substitutions


def test_what_was_written_is_read(tmp_path: Path) -> None:
    found = read_ledger(written(tmp_path, [0, 1, 2, 3]))
    assert [said(item) for item in found.records] == [said(record(step)) for step in range(4)]
    assert (found.plan_hash, found.rank, found.n_voided, found.torn_bytes) == ("p" * 64, 0, 0, 0)


def test_a_draw_takes_four_bytes(tmp_path: Path) -> None:
    ledger = ConsumptionLedger(tmp_path, "p", 0)
    before = ledger.path.stat().st_size
    ledger.append(Consumed(0, 1, np.arange(1000)))
    assert ledger.path.stat().st_size - before < 4 * 1000 + 64


def test_two_runs_of_the_same_write_the_same_bytes_and_going_on_is_no_difference(tmp_path: Path) -> None:
    once = written(tmp_path / "a", [0, 1, 2, 3]).read_bytes()
    written(tmp_path / "b", [0, 1])
    assert written(tmp_path / "b", [2, 3]).read_bytes() == once


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_ledger_cut_off_anywhere_loses_only_the_record_it_was_cut_in(tmp_path: Path, data: st.DataObject) -> None:
    whole = written(tmp_path / "whole", [0, 1, 2]).read_bytes()
    (tmp_path / "whole" / "rank-00000.ledger").unlink()
    header = whole.index(b"\n") + 1
    kept = data.draw(st.integers(0, len(whole)))
    folder = tmp_path / "cut"
    folder.mkdir(exist_ok=True)
    path = folder / "rank-00000.ledger"
    path.write_bytes(whole[:kept])
    ledger = ConsumptionLedger(folder, "p" * 64, 0)
    found = read_ledger(path).records
    ledger.close()
    assert path.read_bytes() == (whole[: path.stat().st_size] if kept >= header else whole[:header])
    assert [said(item) for item in found] == [said(record(step)) for step in range(len(found))]
    assert written(folder, list(range(len(found), 3))).read_bytes() == whole


def test_a_hole_at_the_end_is_half_a_record(tmp_path: Path) -> None:
    path = written(tmp_path, [0, 1])
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(100))
    assert len(read_ledger(path).records) == 2
    assert written(tmp_path, [2]).read_bytes().startswith(whole)
    assert len(read_ledger(path).records) == 3


def test_any_other_change_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path, [0, 1, 2])
    whole = path.read_bytes()
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 0x10
        path.write_bytes(changed)
        try:
            found = read_ledger(path)
        except StoreError:
            continue
        assert found.torn_bytes, f"byte {at}: a length that reaches past the end looks torn, nothing else"


def test_no_record_can_be_left_out_moved_or_taken_from_another_run(tmp_path: Path) -> None:
    path = written(tmp_path / "a", [0, 1, 3, 4])
    whole = path.read_bytes()
    edges = [whole.index(b"\n") + 1]
    while edges[-1] < len(whole):
        edges.append(edges[-1] + 4 + int.from_bytes(whole[edges[-1] : edges[-1] + 4], "little") + 16)
    header, *records = [whole[: edges[0]], *(whole[a:b] for a, b in pairwise(edges))]
    other = written(tmp_path / "b", [7, 0, 1, 3, 4]).read_bytes()
    for forged in (
        [records[0], *records[2:]],
        [records[1], records[0], *records[2:]],
        [records[0], records[0], *records[1:]],
        [*records[:3], other[-len(records[3]) :]],
    ):
        path.write_bytes(header + b"".join(forged))
        with pytest.raises(StoreError, match="does not follow from those before it"):
            read_ledger(path)


def test_going_back_to_a_checkpoint_voids_records_and_removes_none(tmp_path: Path) -> None:
    before = written(tmp_path, [0, 1, 2, 3]).read_bytes()
    path = written(tmp_path, [2, 3, 4])
    assert path.read_bytes().startswith(before)
    found = read_ledger(path)
    assert [item.step for item in found.records] == [0, 1, 2, 3, 4]
    assert found.n_voided == 2


def test_a_head_belongs_to_a_step(tmp_path: Path) -> None:
    ledger = ConsumptionLedger(tmp_path, "p", 0)
    heads = []
    for step in (0, 1, 2):
        ledger.append(record(step))
        heads.append(ledger.sync())
    assert [ledger.head_after(step) for step in (0, 1, 2, 3)] == [*heads, None]
    ledger.append(record(1))
    assert ledger.head_after(2) is None
    assert ledger.head_after(1) == ledger.head != heads[1]
    ledger.close()
    assert ConsumptionLedger(tmp_path, "p", 0).head_after(0) == heads[0]


def test_ranks_are_merged_and_their_number_may_change(tmp_path: Path) -> None:
    for rank in range(3):
        written(tmp_path, [0, 1, 2, 3], rank, world=3)
    for rank in range(2):
        written(tmp_path, [2, 3, 4], rank, world=2)
    found = read_consumption(tmp_path)
    assert found.worlds == (3, 3, 2, 2, 2)
    assert [len(step) for step in found.steps] == [3, 3, 2, 2, 2]
    assert found.n_voided == 4
    assert [(step, item) for step, item in found.substitutions] == [(2, SWAP), (2, SWAP)]


def test_a_step_counts_when_every_rank_has_it(tmp_path: Path) -> None:
    written(tmp_path, [0, 1, 2], 0, world=2)
    written(tmp_path, [0, 1], 1, world=2)
    assert len(read_consumption(tmp_path).steps) == 2


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no ledger of rank 0"):
        read_consumption(tmp_path)
    path = written(tmp_path, [0])
    path.rename(tmp_path / "rank-00001.ledger")
    with pytest.raises(StoreError, match="the ledger of rank 0, expected rank 1"):
        ConsumptionLedger(tmp_path, "p" * 64, 1)
    path.write_bytes(b"something else\n")
    with pytest.raises(StoreError, match="not a consumption ledger"):
        ConsumptionLedger(tmp_path, "p" * 64, 0)
