"""An order that goes on: old draws stay where they are, and old and new together follow the new plan."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.balance import balance
from clustering.extension import missing_shares
from clustering.schedule import STAGE, ScheduleSlice
from clustering.strata import count_strata
from pipeline.shards.prefix import prefix_problems
from pipeline.stage import Bundle
from schemas.cluster import Membership
from schemas.plan import CellName, Draw, DrawSegment, SamplingPlan
from schemas.recipe_balance import BalanceSpec
from tests.clustering.made import membership

SPEC = ScheduleSlice(seed=0, samples_per_shard=4, on_append="extend", balance=BalanceSpec())


def events(cells: list[tuple[int, int]], first: int = 0, **sides: int) -> list[Membership]:
    """Every so-manieth event in another split than train."""
    found = []
    for i, (v, a) in enumerate(cells, first):
        split = next((name for name, every in sides.items() if i % every == 0), "train")
        found.append(membership(f"ev-{i:04}", v, a, split))
    return found


class Order:
    """What the stage makes of a corpus, and of what it made before."""

    def __init__(self, items: list[Membership], before: "Order | None" = None, spec: ScheduleSlice = SPEC) -> None:
        self.plan = balance(count_strata([items], spec.balance), spec.balance)
        streams: dict[type, Any] = {
            SamplingPlan: lambda: iter([[self.plan]]),
            Membership: lambda: iter([items]),
            Draw: lambda: iter([before.draws[:5], before.draws[5:]] if before else []),
            DrawSegment: lambda: iter([before.segments] if before else []),
        }
        made = list(STAGE.run(Bundle("corpus", streams=streams), spec))
        self.draws = [item for item in made if isinstance(item, Draw)]
        self.segments = [item for item in made if isinstance(item, DrawSegment)]

    def of(self, split: str) -> list[Draw]:
        return [draw for draw in self.draws if draw.split == split]


Kind = tuple[int, int, str, bool]
LOOKS = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 2)), min_size=1, max_size=60)
KINDS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(-1, 1), st.sampled_from("xy"), st.booleans()), min_size=1, max_size=40
)
PARTED = BalanceSpec.model_validate({"sources": {"x": {"cap": 1.0}}, "recovery": {}})


def grown(parts: list[list[Kind]], spec: BalanceSpec) -> tuple[Order, list[Membership]]:
    """The order of a corpus to which one part after the other was appended."""
    items: list[Membership] = []
    order = None
    for part in parts:
        items += [
            membership(f"ev-{i:04}", v, a, source=source, recovery=recovery)
            for i, (v, a, source, recovery) in enumerate(part, len(items))
        ]
        order = Order(list(items), order, SPEC.model_copy(update={"balance": spec}))
    assert order is not None
    return order, items


def deviations(order: Order, names: list[CellName]) -> Iterator[np.ndarray]:
    """Per segment [t, C]: how far each cell's count is from its target after t + 1 of the segment's draws."""
    for segment in order.segments:
        own = np.array([draw.cell for draw in order.of("train")[segment.start : segment.start + segment.n_draws]])
        assert [names[i] for i in range(segment.start, segment.start + segment.n_draws)] == [
            segment.cells[cell] for cell in own
        ]
        shares = np.repeat([step.shares for step in segment.steps], [step.n_draws for step in segment.steps], axis=0)
        yield np.cumsum(own[:, None] == np.arange(len(segment.cells)), axis=0) - np.cumsum(shares, axis=0)


def worst(off: np.ndarray, labels: list[Any]) -> float:
    """Of the groups that ``labels`` make of the cells."""
    sums = [off[:, [label == group for label in labels]].sum(axis=1) for group in set(labels)]
    return float(np.abs(sums).max(initial=0.0))


def ends_where_the_plan_says(order: Order, bound: float) -> None:
    """But for what the old draws had too much of a cell."""
    last = order.segments[-1]
    cells = [last.cells.index(name) for name in names_of(order)]
    total = np.bincount(cells, minlength=len(last.cells))
    drawn = np.bincount(cells[: last.start], minlength=len(last.cells))
    targets = len(cells) * np.array([cell.mass for cell in order.plan.cells])
    excess = float(np.maximum(0.0, drawn - targets).sum())
    assert np.abs(total - targets).max() < bound + excess + 1e-9


def names_of(order: Order) -> list[CellName]:
    """The cell of every training draw, as its segment has it."""
    found: list[CellName] = []
    for segment in order.segments:
        own = order.of("train")[segment.start : segment.start + segment.n_draws]
        found += [segment.cells[draw.cell] for draw in own]
    return found


@given(st.lists(LOOKS, min_size=2, max_size=4))
@settings(max_examples=20, deadline=None)
def test_every_prefix_of_every_segment_follows_its_shares_and_the_whole_follows_the_plan(
    parts: list[list[tuple[int, int]]],
) -> None:
    order, items = grown([[(*look, "lab", False) for look in part] for part in parts], BalanceSpec())
    kinds = {item.event_id: CellName(item.vision_language, item.action, "", None) for item in items}
    names = [kinds[draw.event_id] for draw in order.of("train")]
    assert [draw.t for draw in order.of("train")] == list(range(len(items)))
    for segment, off in zip(order.segments, deviations(order, names), strict=True):
        assert worst(off, [name.vision_language for name in segment.cells]) < 1
        assert worst(off, list(segment.cells)) < 2
    ends_where_the_plan_says(order, 2)


@given(st.lists(KINDS, min_size=2, max_size=3))
@settings(max_examples=15, deadline=None)
def test_parts_by_source_and_recovery_keep_their_shares_in_every_segment(parts: list[list[Kind]]) -> None:
    order, items = grown(parts, PARTED)
    kinds = {item.event_id: CellName(item.vision_language, item.action, item.source, item.recovery) for item in items}
    names = [kinds[draw.event_id] for draw in order.of("train")]
    assert len(names) == len(items)
    for segment, off in zip(order.segments, deviations(order, names), strict=True):
        assert worst(off, [(name.source, name.recovery) for name in segment.cells]) < 1
        assert worst(off, [(name.vision_language, name.source, name.recovery) for name in segment.cells]) < 2
        assert worst(off, list(segment.cells)) < 3
        assert prefix_problems(names[segment.start :][: segment.n_draws], segment.cells, segment.steps) == []
    ends_where_the_plan_says(order, 3)


def test_a_curriculum_is_the_first_segments_and_a_later_one_follows_its_mean() -> None:
    looks = [(i % 4, i % 3 if i % 4 else 0, "lab", False) for i in range(90)]
    order, items = grown([looks, looks[:31]], BalanceSpec(curriculum_steps=4))
    first, second = order.segments
    assert [len(first.steps), len(second.steps)] == [4, 1]
    assert first.steps[0].shares != first.steps[-1].shares
    kinds = {item.event_id: CellName(item.vision_language, item.action, "", None) for item in items}
    names = [kinds[draw.event_id] for draw in order.of("train")]
    for segment in order.segments:
        assert prefix_problems(names[segment.start :][: segment.n_draws], segment.cells, segment.steps) == []
    total = Counter(names)
    for cell in order.plan.cells:
        assert abs(total[cell.name] - len(names) * cell.mass) < 4


def test_old_draws_stay_and_no_old_shard_is_continued() -> None:
    cells = [(i % 3, i % 2) for i in range(60)]
    old = Order(events(cells, validation=7, test=11))
    new = Order(events([*cells, *cells[:9]], validation=7, test=11), old)
    assert new.draws[: len(old.draws)] == old.draws
    added = new.draws[len(old.draws) :]
    assert len(added) == 9
    assert not {draw.shard for draw in added} & {draw.shard for draw in old.draws}
    assert {draw.event_id for draw in new.draws} == {f"ev-{i:04}" for i in range(69)}
    assert {draw.plan_id for draw in added} == {new.plan.plan_id} != {old.plan.plan_id}
    for split in ("train", "validation", "test"):
        assert [draw.t for draw in new.of(split)] == list(range(len(new.of(split))))


def test_new_events_of_a_cell_come_before_old_ones_and_repeats_go_on_counting() -> None:
    old = Order(events([(0, 0)] * 6))
    new = Order(events([(0, 0)] * 6 + [(0, 0)] * 3), old)
    assert {draw.event_id for draw in new.draws[6:]} == {"ev-0006", "ev-0007", "ev-0008"}
    assert [draw.repeat for draw in new.draws] == [0] * 9
    fixed = SPEC.model_copy(update={"balance": BalanceSpec(epoch_draws=12)})
    twice = Order(events([(0, 0)] * 7), Order(events([(0, 0)] * 6), spec=fixed), fixed)
    assert len(twice.of("train")) == 12 + 2  # a seventh of an epoch of twelve for a seventh of the events
    assert (twice.draws[12].event_id, twice.draws[12].repeat) == ("ev-0006", 0)
    assert twice.draws[13].repeat == 1


def test_what_the_epoch_had_no_room_for_is_drawn_first_later() -> None:
    some = SPEC.model_copy(update={"balance": BalanceSpec(epoch_draws=4)})
    old = Order(events([(0, 0)] * 8), spec=some)
    new = Order(events([(0, 0)] * 10), old, some)
    assert len(old.of("reserve")) == 4
    assert len(new.of("train")) == 5
    assert new.of("train")[4].repeat == 0
    drawn = {draw.event_id for draw in new.of("train")} | {draw.event_id for draw in new.of("reserve")}
    assert drawn == {f"ev-{i:04}" for i in range(10)}


def test_without_new_events_nothing_is_added() -> None:
    items = events([(i % 3, 0) for i in range(20)])
    old = Order(items)
    again = Order(items, old)
    assert again.draws == old.draws
    assert len(again.segments) == 1


ITEMS = events([(i % 3, 0) for i in range(20)])


@pytest.mark.parametrize(
    ("items", "spec"),
    [
        (ITEMS[1:], SPEC),
        ([replace(ITEMS[0], action=1), *ITEMS[1:]], SPEC),
        ([replace(ITEMS[0], split="validation"), *ITEMS[1:]], SPEC),
        ([replace(ITEMS[0], duplicate_of="ev-0001"), *ITEMS[1:]], SPEC),
        (ITEMS, SPEC.model_copy(update={"on_append": "rewrite"})),
        (ITEMS, SPEC.model_copy(update={"samples_per_shard": 5})),
        (ITEMS, SPEC.model_copy(update={"balance": BalanceSpec(repeat_cap=3)})),
    ],
    ids=["gone", "other cell", "other side", "a copy now", "told to rewrite", "other shards", "other balance"],
)
def test_an_order_that_could_not_be_drawn_like_that_today_is_drawn_afresh(
    items: list[Membership], spec: ScheduleSlice
) -> None:
    grown = [*items, *events([(1, 0)] * 3, 90)]
    afresh, after = Order(grown, spec=spec), Order(grown, Order(ITEMS), spec)
    assert after.draws == afresh.draws
    assert len(after.segments) == 1


def test_an_event_that_is_a_recovery_now_makes_an_order_anew_where_recoveries_are_limited() -> None:
    items = [membership(f"ev-{i:04}", recovery=i % 4 == 0) for i in range(20)]
    changed = [replace(items[1], recovery=True), *items[:1], *items[2:], membership("ev-0090")]
    for balance_spec, n_segments in ((PARTED, 1), (BalanceSpec(), 2)):
        spec = SPEC.model_copy(update={"balance": balance_spec})
        assert len(Order(changed, Order(items, spec=spec), spec).segments) == n_segments


def test_cells_that_have_too_much_already_get_nothing_more() -> None:
    shares = missing_shares(np.array([0.5, 0.25, 0.25]), np.array([9, 1, 0]), 2)
    np.testing.assert_allclose(shares, [0, 0.4, 0.6])
    np.testing.assert_array_equal(missing_shares(np.array([0.5, 0.5]), np.array([0, 0]), 3), [0.5, 0.5])
