"""The plan's order in loops of other people: every prefix balanced, exact resume, any rank, world, worker count."""

import ast
import re
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import webdataset as wds
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from clustering.chairman import two_stage
from pipeline.loader.plan import LoadPlan
from pipeline.loader.reader import ShardSet
from pipeline.loader.sampler import (
    BalancedSampler,
    DrawOrder,
    EventDataset,
    EventStream,
    _uses,
    order_of,
    order_of_plan,
)
from pipeline.shards.prefix import largest_deviations
from schemas.array import Ints
from tests.pipeline.loader.made_plan import N_EVENTS, write_plan
from tests.pipeline.shards.corpus import Corpus

ROOT = Path(__file__).resolve().parents[3]


def order(events: list[int]) -> DrawOrder:
    event = np.array(events, np.int64)
    return DrawOrder("made up", pa.array([f"ev-{e}" for e in range(max(events) + 1)]), event, _uses(event))


def test_a_load_plan_gives_its_draws_in_their_own_order(
    opened: ShardSet, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packing has moved them a little; the sampler takes them by number, and every event by its row."""
    write_plan(tmp_path, (4, 3))
    plan = LoadPlan.open(str(tmp_path))
    ids = sorted({sample.event_id for _, sample in opened.iterate("train")})
    assert len(ids) == N_EVENTS, "the plan made by hand is of as many events as the set has"
    found = order_of_plan(str(tmp_path), str(folder))
    draws = sorted((draw for step in range(7) for pack in plan.step(step) for draw in pack.draws), key=lambda d: d.draw)
    assert [found.events[int(event)].as_py() for event in found.event] == [ids[draw.event] for draw in draws]
    assert found.name == f"plan {plan.plan_hash}"
    assert len(list(BalancedSampler(found, ids))) == plan.header.n_draws
    fewer = pa.table({"event_id": ids[1:]})
    monkeypatch.setattr(ShardSet, "manifest", lambda _self, split, _columns: fewer[: 99 * (split == "train")])
    with pytest.raises(ValueError, match=r"drawn from \[12\] events, ss-.* has 11 for training"):
        order_of_plan(plan, opened)


class Rows(Dataset[int]):
    """Somebody's dataset: item i is i."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: int) -> int:
        return index


EVENTS = st.lists(st.integers(0, 5), min_size=1, max_size=30).map(
    lambda found: [sorted(set(found)).index(e) for e in found]
)


def test_the_order_is_the_plans(folder: Path, filmed: Corpus) -> None:
    found = order_of(str(folder), "train")
    planned = [draw.event_id for draw in filmed.draws if draw.split == "train"]
    assert found.events.take(pa.array(found.event)).to_pylist() == planned
    assert found.use.tolist() == [draw.repeat for draw in filmed.draws if draw.split == "train"]


@given(EVENTS, st.integers(1, 5), st.integers(1, 3))
def test_ranks_of_one_length_share_the_draws_of_all_epochs(events: list[int], world: int, epochs: int) -> None:
    samplers = [BalancedSampler(order(events), rank=rank, world=world) for rank in range(world)]
    drawn: Counter[int] = Counter()
    for _ in range(epochs):
        lengths = {len(sampler) for sampler in samplers}
        parts = [list(sampler) for sampler in samplers]
        assert {len(part) for part in parts} == lengths
        assert len(lengths) == 1
        drawn.update(t for part in parts for t in part)
    assert set(drawn) == set(range(len(events)))
    whole, rest = divmod(drawn.total(), len(events))
    assert drawn == Counter({t: whole + (t < rest) for t in range(len(events))}), "in turn, into the next epoch"


@given(EVENTS, st.data())
def test_a_run_resumed_by_another_world_goes_on_where_it_stopped(events: list[int], data: st.DataObject) -> None:
    """Steps of all ranks, a state, another world from there: together the endless order, nothing lost or doubled."""
    before, after = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    steps, more = data.draw(st.integers(0, 40)), data.draw(st.integers(0, 40))
    reference = list(islice(BalancedSampler(order(events), endless=True), before * steps + after * more))
    first = [BalancedSampler(order(events), rank=r, world=before, endless=True) for r in range(before)]
    seen = [t for step in zip(*(islice(s, steps + 3) for s in first), strict=True) for t in step][: before * steps]
    states = [sampler.state_dict(consumed=steps) for sampler in first]
    assert all(state == states[0] for state in states)
    second = [BalancedSampler(order(events), rank=r, world=after, endless=True) for r in range(after)]
    for sampler in second:
        sampler.load_state_dict(states[0])
    start = before * steps
    shares = [list(islice(sampler, more)) for sampler in second]
    for t in range(start, start + after * more):
        seen.append(shares[t % after].pop(0))
    assert seen == reference


@given(EVENTS, st.integers(1, 4), st.integers(0, 40))
def test_a_state_at_any_step_of_an_epoch_gives_the_rest_of_it(events: list[int], world: int, steps: int) -> None:
    """And after its last step the whole next epoch."""
    for rank in range(world):
        sampler = BalancedSampler(order(events), rank=rank, world=world)
        part, following = list(sampler), list(sampler)
        again = BalancedSampler(order(events), rank=rank, world=world)
        list(again)
        state = again.state_dict(consumed=min(steps, len(part)))
        again.load_state_dict(state)
        assert list(again) == (part[steps:] or following)


def test_all_that_was_handed_out_is_the_state_unless_the_loop_says_less() -> None:
    sampler = BalancedSampler(order([0, 1, 0, 2]), rank=1, world=2)
    handed = iter(sampler)
    next(handed)
    assert sampler.state_dict()["position"] == 2
    assert sampler.state_dict(consumed=0)["position"] == 0
    with pytest.raises(ValueError, match="consumed 2: this sampler handed out 1"):
        sampler.state_dict(consumed=2)
    assert list(handed) == [3]
    assert sampler.state_dict(consumed=1)["position"] == 2, "an iteration that has ended says what the loop took too"
    assert sampler.state_dict()["position"] == 4


def test_an_iteration_broken_off_begins_again() -> None:
    sampler = BalancedSampler(order([0, 1, 0, 2]))
    assert next(iter(sampler)) == 0
    assert list(sampler) == [0, 1, 2, 3]


def test_a_state_of_another_order_is_refused(folder: Path) -> None:
    state = BalancedSampler(str(folder), split="validation").state_dict()
    with pytest.raises(ValueError, match=r"the state is of ss-.*/validation, this sampler draws ss-.*/train"):
        BalancedSampler(str(folder)).load_state_dict(state)


def test_a_rank_outside_the_world_is_refused() -> None:
    with pytest.raises(ValueError, match="rank 2 of 2"):
        BalancedSampler(order([0]), rank=2, world=2)


# -- rows of somebody's dataset ----------------------------------------------------------------------------------------


@given(EVENTS, st.integers(1, 4), st.randoms())
def test_rows_of_an_event_take_turns(events: list[int], most: int, random: Any) -> None:
    plan = order(events)
    keys = [f"ev-{e}" for e in range(len(plan.events)) for _ in range(random.randint(1, most))] + ["never drawn"] * 2
    random.shuffle(keys)
    drawn = list(islice(BalancedSampler(plan, keys, endless=True), 3 * len(events)))
    assert [keys[row] for row in drawn] == [f"ev-{e}" for e in events] * 3
    for event in set(keys) - {"never drawn"}:
        uses = [drawn.count(row) for row, key in enumerate(keys) if key == event]
        assert max(uses) - min(uses) <= 1


def test_an_event_the_dataset_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of the 3 events of made up have no row, the first is ev-1"):
        BalancedSampler(order([0, 1, 2]), ["ev-2", "ev-0"])


def test_every_prefix_of_a_keyed_dataset_is_balanced() -> None:
    """Not of our samples: of rows of a dataset that has several for each event, counted by cell."""
    shares = np.array([0.55, 0.25, 0.15, 0.05])
    cells = two_stage(np.array([0, 0, 1, 1]), shares, 400)
    turn: Ints = _uses(np.asarray(cells, np.int64)) % 3
    plan = order((np.asarray(cells) * 3 + turn).tolist())
    keys = [f"ev-{e}" for e in range(12) for _ in range(2)]
    drawn = np.array([plan.events.to_pylist().index(keys[row]) // 3 for row in BalancedSampler(plan, keys)])
    epoch = shares[None], np.array([len(drawn)])
    assert largest_deviations(drawn.astype(np.int64), *epoch)[0].max() < 2
    assert largest_deviations(np.random.default_rng(0).permutation(drawn), *epoch)[0].max() > 2


# -- in loops ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_loop_killed_after_any_batch_goes_on_with_the_next(workers: int) -> None:
    """Workers ask ahead; what lay in their queue is neither lost nor seen twice."""
    plan = order([0, 1, 2, 0, 3, 1, 4, 0, 2, 1, 0, 3, 4, 2])
    whole = [t for batch in DataLoader(Rows(14), batch_size=2, sampler=BalancedSampler(plan)) for t in batch.tolist()]
    sampler = BalancedSampler(plan)
    loader = DataLoader(Rows(14), batch_size=2, sampler=sampler, num_workers=workers)
    seen: list[int] = []
    for step, batch in enumerate(loader, 1):
        seen += batch.tolist()
        if step == 3:
            break
    state = sampler.state_dict(consumed=len(seen))
    again = BalancedSampler(plan)
    again.load_state_dict(state)
    rest = DataLoader(Rows(14), batch_size=2, sampler=again, num_workers=workers)
    assert seen + [t for batch in rest for t in batch.tolist()] == whole
    if workers:
        assert sampler.state_dict()["position"] > len(seen), "the loader did not ask ahead, so this shows nothing"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_shard_set_is_a_dataset(folder: Path, opened: ShardSet, workers: int) -> None:
    dataset = EventDataset(str(folder))
    loader = DataLoader(
        dataset, batch_size=3, sampler=BalancedSampler(str(folder)), num_workers=workers, collate_fn=list
    )
    keys = [sample.key for batch in loader for sample in batch]
    assert keys == [sample.key for _, sample in opened.iterate("train")]
    assert len(dataset) == len(keys)
    assert EventDataset(str(folder), "validation", transform=lambda sample: sample.split)[0] == "validation"


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_stream_comes_in_order_from_any_number_of_workers(folder: Path, opened: ShardSet, workers: int) -> None:
    for start, rank, world in ((0, 0, 1), (3, 1, 2)):
        stream = EventStream(str(folder), start=start, rank=rank, world=world)
        keys = [sample["__key__"] for sample in DataLoader(stream, batch_size=None, num_workers=workers)]
        assert keys == [sample.key for _, sample in opened.iterate("train", start, rank, world)]


def test_a_stream_resumes_from_the_state_of_its_worker(folder: Path) -> None:
    whole = [sample["__key__"] for sample in EventStream(str(folder))]
    stream = EventStream(str(folder))
    seen = [sample["__key__"] for sample in islice(stream, 2)]
    again = EventStream(str(folder))
    again.load_state_dict(stream.state_dict())
    assert seen + [sample["__key__"] for sample in again] == whole
    assert [sample["__key__"] for sample in again] == whole, "the next iteration is a whole one"
    with pytest.raises(ValueError, match="/validation from 0, this stream is"):
        again.load_state_dict(EventStream(str(folder), "validation").state_dict())


def test_webdataset_decodes_the_stream(folder: Path, opened: ShardSet) -> None:
    pipeline = wds.DataPipeline(EventStream(str(folder)), wds.decode(), wds.to_tuple("event.json", "action.npz"))
    for (event, action), (_, sample) in zip(pipeline, opened.iterate("train"), strict=True):
        assert event == sample.record
        assert np.array_equal(action["valid"], sample.action_valid_T if sample.action_valid_T is not None else [])


# -- the page ----------------------------------------------------------------------------------------------------------


def examples() -> list[str]:
    text = (ROOT / "docs" / "sampler.md").read_text(encoding="utf-8")
    return [block for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S) if "import" in block]


@pytest.mark.parametrize("example", [block for block in examples() if "pipeline" in block])
def test_an_example_of_the_page_runs_and_imports_nothing_else_of_ours(
    example: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(example.strip().splitlines()) <= 10
    imported = [node for node in ast.walk(ast.parse(example)) if isinstance(node, ast.ImportFrom | ast.Import)]
    ours = [ast.unparse(node) for node in imported if "pipeline" in ast.unparse(node) or "schemas" in ast.unparse(node)]
    assert len(ours) == 1
    assert ours[0].startswith("from pipeline.loader.sampler import")
    exec(example.replace("demo/workspace/shards", str(folder.parent)), {})
    assert len(capsys.readouterr().out.splitlines()) > 2


def test_there_are_examples_to_run() -> None:
    assert len(examples()) == 3
