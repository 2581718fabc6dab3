"""The compiled epoch: prefix balance of the cells, even use inside them, and nobody left out."""

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clustering.balance import balance
from clustering.roster import roster_of
from clustering.schedule import STAGE, ScheduleSlice, Share, schedule, share_of
from clustering.strata import count_strata
from pipeline.stage import Bundle
from schemas.cluster import Membership
from schemas.plan import Cell, Draw, DrawSegment, SamplingPlan
from schemas.recipe_balance import BalanceSpec
from tests.clustering.made import membership


def corpus(cells: list[tuple[int, int]], validation_every: int = 0, test_every: int = 0) -> list[Membership]:
    def split(i: int) -> str:
        if test_every and i % test_every == 0:
            return "test"
        return "validation" if validation_every and i % validation_every == 0 else "train"

    return [membership(f"ev-{i:04}", v, a, split(i)) for i, (v, a) in enumerate(cells)]


def draws_of(items: list[Membership], spec: BalanceSpec, per_shard: int = 4) -> tuple[SamplingPlan, list[Draw]]:
    plan = balance(count_strata([items], spec), spec)
    return plan, list(schedule(roster_of([items], spec.seed), plan, per_shard))


def of_split(draws: list[Draw], split: str) -> list[Draw]:
    return [draw for draw in draws if draw.split == split]


CELLS = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 2)), min_size=1, max_size=80)


@given(CELLS, st.integers(1, 300), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_every_prefix_follows_the_plan(cells: list[tuple[int, int]], n_draws: int, seed: int) -> None:
    plan, draws = draws_of(corpus(cells), BalanceSpec(epoch_draws=n_draws, seed=seed))
    mass = {(cell.vision_language, cell.action): cell.mass for cell in plan.cells}
    seen: Counter[tuple[int, int]] = Counter()
    for draw in of_split(draws, "train"):
        seen[draw.vision_language, draw.action] += 1
        t = draw.t + 1
        assert all(abs(seen[cell] - t * share) < 2 for cell, share in mass.items())
        for v in range(4):
            row = sum(n for (cell_v, _), n in seen.items() if cell_v == v)
            assert abs(row - t * sum(share for (cell_v, _), share in mass.items() if cell_v == v)) < 1


@given(CELLS, st.integers(1, 300))
@settings(max_examples=60, deadline=None)
def test_events_of_a_cell_are_used_equally_often_up_to_one(cells: list[tuple[int, int]], n_draws: int) -> None:
    items = corpus(cells)
    _, draws = draws_of(items, BalanceSpec(epoch_draws=n_draws))
    train = of_split(draws, "train")
    uses = Counter(draw.event_id for draw in train)
    by_cell = defaultdict(list)
    for item in items:
        by_cell[item.vision_language, item.action].append(uses[item.event_id])
    assert all(max(counts) - min(counts) <= 1 for counts in by_cell.values())
    assert len(train) == n_draws
    for event_id in uses:
        assert [draw.repeat for draw in train if draw.event_id == event_id] == list(range(uses[event_id]))


def test_every_event_is_in_exactly_one_split_and_in_some_shard() -> None:
    items = corpus([(i % 3, i % 2) for i in range(60)], validation_every=7, test_every=11)
    _, draws = draws_of(items, BalanceSpec(epoch_draws=20))
    members = {
        split: {draw.event_id for draw in of_split(draws, split)}
        for split in ("train", "reserve", "validation", "test")
    }
    assert sum(map(len, members.values())) == len(set().union(*members.values())) == 60
    assert members["validation"] == {item.event_id for item in items if item.split == "validation"}
    assert members["test"] == {item.event_id for item in items if item.split == "test"}
    assert len(of_split(draws, "reserve")) == len(members["reserve"])


def test_shards_are_cut_from_each_split_by_position() -> None:
    _, draws = draws_of(corpus([(0, 0)] * 10, validation_every=5), BalanceSpec(), per_shard=3)
    assert [(d.shard, d.position) for d in of_split(draws, "train")][:4] == [
        ("train-000000", 0), ("train-000000", 1), ("train-000000", 2), ("train-000001", 0),
    ]  # fmt: skip
    assert [(d.shard, d.position, d.t) for d in of_split(draws, "validation")] == [
        ("validation-000000", 0, 0), ("validation-000000", 1, 1),
    ]  # fmt: skip


def test_the_order_of_batches_changes_nothing() -> None:
    items = corpus([(i % 3, i % 2) for i in range(30)])
    plan, draws = draws_of(items, BalanceSpec())
    shuffled = [items[20:], items[:20][::-1]]
    assert list(schedule(roster_of(shuffled, 0), plan, 4)) == draws


def test_another_seed_shuffles_inside_the_cells_only() -> None:
    items = corpus([(i % 3, i % 2) for i in range(60)])
    first, second = (of_split(draws_of(items, BalanceSpec(seed=seed))[1], "train") for seed in (0, 1))
    assert [d.vision_language for d in first] == [d.vision_language for d in second]
    assert [d.event_id for d in first] != [d.event_id for d in second]


def test_passes_over_a_cell_come_in_different_orders() -> None:
    _, draws = draws_of(corpus([(0, 0)] * 30), BalanceSpec(epoch_draws=60))
    ids = [draw.event_id for draw in of_split(draws, "train")]
    assert sorted(ids[:30]) == sorted(ids[30:])
    assert ids[:30] != ids[30:]


def test_one_event_makes_one_draw() -> None:
    _, draws = draws_of(corpus([(5, -1)]), BalanceSpec())
    assert [(draw.split, draw.t, draw.event_id, draw.action) for draw in draws] == [("train", 0, "ev-0000", -1)]


def test_no_training_events_make_no_train_draws() -> None:
    _, draws = draws_of(corpus([(0, 0)] * 3, validation_every=1), BalanceSpec())
    assert [draw.split for draw in draws] == ["validation"] * 3
    assert draws_of([], BalanceSpec())[1] == []


def test_a_plan_for_other_events_is_refused() -> None:
    items = corpus([(0, 0), (0, 1), (0, 1)])
    plan, _ = draws_of(items, BalanceSpec())
    with pytest.raises(ValueError, match="run balance again"):
        list(schedule(roster_of([items[1:]], 0), plan, 4))


def test_the_stage_streams_its_inputs() -> None:
    items = corpus([(i % 3, i % 2) for i in range(30)])
    plan, draws = draws_of(items, BalanceSpec())
    streams: dict[type, Any] = {
        SamplingPlan: lambda: iter([[plan]]), Membership: lambda: iter([items[:9], items[9:]]),
        Draw: lambda: iter(()), DrawSegment: lambda: iter(()),
    }  # fmt: skip
    spec = ScheduleSlice(seed=0, samples_per_shard=4, on_append="extend", balance=BalanceSpec())
    *found, segment = STAGE.run(Bundle("corpus", streams=streams), spec)
    assert found == draws
    assert isinstance(segment, DrawSegment)
    assert (segment.plan_id, segment.start, segment.n_draws) == (plan.plan_id, 0, 30)
    assert np.all(np.diff([draw.t for draw in of_split(draws, "train")]) == 1)


KINDS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(-1, 1), st.sampled_from("xy"), st.booleans()), min_size=1, max_size=60
)


def drawn_so_far(draws: list[Draw], n_cells: int) -> NDArray[np.int64]:
    """[T, C] how often each cell was drawn by the end of each draw."""
    cells = np.array([draw.cell for draw in of_split(draws, "train")])
    return np.cumsum(cells[:, None] == np.arange(n_cells), axis=0)


@pytest.mark.slow
@given(KINDS, st.integers(1, 250))
@settings(max_examples=15, deadline=None)
def test_sources_and_recoveries_keep_their_share_in_every_prefix(
    kinds: list[tuple[int, int, str, bool]], n_draws: int
) -> None:
    items = [membership(f"ev-{i:04}", v, a, source=s, recovery=r) for i, (v, a, s, r) in enumerate(kinds)]
    asked = BalanceSpec.model_validate({"sources": {"x": {"cap": 1.0}}, "recovery": {}, "epoch_draws": n_draws})
    plan, draws = draws_of(items, asked)
    of = {item.event_id: (item.vision_language, item.action, item.source, item.recovery) for item in items}
    keys = [(cell.vision_language, cell.action, cell.source, cell.recovery) for cell in plan.cells]
    train = of_split(draws, "train")
    assert [keys[draw.cell] for draw in train] == [of[draw.event_id] for draw in train]
    masses = np.array([cell.mass for cell in plan.cells])
    off = drawn_so_far(draws, len(keys)) - np.arange(1, n_draws + 1)[:, None] * masses
    assert np.abs(off).max() < 3
    for part in {key[2:] for key in keys}:
        assert np.abs(off[:, [key[2:] == part for key in keys]].sum(axis=1)).max() < 1
    for source in "xy":
        assert np.abs(off[:, [key[2] == source for key in keys]].sum(axis=1)).max() < 2


@given(CELLS, st.integers(1, 300), st.integers(2, 5))
@settings(max_examples=25, deadline=None)
def test_with_a_curriculum_every_prefix_follows_the_moving_target(
    cells: list[tuple[int, int]], n_draws: int, steps: int
) -> None:
    plan, draws = draws_of(corpus(cells), BalanceSpec(epoch_draws=n_draws, curriculum_steps=steps))
    lengths = [step.n_draws for step in plan.steps]
    assert sum(lengths) == n_draws
    masses = np.array([step.masses for step in plan.steps])
    off = drawn_so_far(draws, len(plan.cells)) - np.cumsum(np.repeat(masses, lengths, axis=0), axis=0)
    rows = np.array([cell.vision_language for cell in plan.cells])
    for row in set(rows.tolist()):
        assert np.abs(off[:, rows == row].sum(axis=1)).max() < 1
    within = masses / np.stack([np.bincount(rows, mass)[rows] for mass in masses])
    assert np.all(np.abs(off).max(axis=0) < 2 + np.abs(np.diff(within, axis=0)).sum(axis=0))


def test_uses_stay_within_the_bounds_up_to_the_last_pass() -> None:
    """Whole draws: a cell of n events is off by less than 2 draws, so each of its events by less than 2/n + 1."""
    items = corpus([(0, 0)] * 300 + [(0, 1)] * 30 + [(1, 0)] * 10 + [(2, 1)])
    plan, draws = draws_of(items, BalanceSpec(floor=0.5, repeat_cap=4))
    uses = Counter(draw.event_id for draw in of_split(draws, "train"))
    sizes = Counter((item.vision_language, item.action) for item in items)
    for item in items:
        slack = 2 / sizes[item.vision_language, item.action] + 1
        assert 0.5 - slack < uses[item.event_id] < 4 + slack
    per_event = [cell.mass * plan.n_draws / cell.n_events for cell in plan.cells]
    assert min(per_event) >= 0.5 - 1e-9
    assert max(per_event) <= 4 + 1e-9


def test_an_epoch_long_enough_uses_every_event() -> None:
    items = corpus([(i % 3, i % 2) for i in range(60)])
    plan, draws = draws_of(items, BalanceSpec(epoch_draws=60 * 12))
    assert len({draw.event_id for draw in of_split(draws, "train")}) == 60
    assert of_split(draws, "reserve") == []
    assert plan.uses[0].coverage == 1.0


def test_weight_is_how_much_oftener_than_by_nature() -> None:
    cell = Cell(1, 2, n_events=2, mass=0.5, lower=0.02, upper=0.8)
    assert share_of("train", cell, 10) == Share(0.5, 2.5, 4.0)
    assert share_of("validation", cell, 10) == Share(0.5, None, 1.0)
    assert share_of("train", None, 10) == Share(0.0, None, 1.0)
