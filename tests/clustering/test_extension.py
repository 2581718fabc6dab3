"""An order that goes on: old draws stay where they are, and old and new together follow the new plan."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.balance import balance, count_cells
from clustering.extension import missing_shares
from clustering.schedule import STAGE, ScheduleSlice
from pipeline.stage import Bundle
from schemas.cluster import Membership
from schemas.plan import Draw, DrawSegment, SamplingPlan
from schemas.recipe import BalanceSpec
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
        self.plan = balance(count_cells([items]), spec.balance)
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


CELLS = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 2)), min_size=1, max_size=60)


def counted(draws: list[Draw], column: str = "cell") -> Counter[Any]:
    return Counter((draw.vision_language, draw.action) if column == "cell" else draw.vision_language for draw in draws)


@given(st.lists(CELLS, min_size=2, max_size=4))
@settings(max_examples=20, deadline=None)
def test_every_prefix_of_every_segment_follows_its_shares_and_the_whole_follows_the_plan(
    parts: list[list[tuple[int, int]]],
) -> None:
    items: list[Membership] = []
    order = None
    for part in parts:
        items = [*items, *events(part, len(items))]
        order = Order(items, order)
    assert order is not None
    train = order.of("train")
    assert [draw.t for draw in train] == list(range(len(items)))
    for segment in order.segments:
        own = train[segment.start : segment.start + segment.n_draws]
        share = dict(zip(zip(segment.vision_language, segment.action, strict=True), segment.share, strict=True))
        rows: Counter[int] = Counter()
        for (v, _), mass in share.items():
            rows[v] += mass
        for t in range(1, len(own) + 1):
            cells, found = counted(own[:t]), counted(own[:t], "row")
            assert all(abs(cells[cell] - t * mass) < 2 for cell, mass in share.items())
            assert all(abs(found[row] - t * mass) < 1 for row, mass in rows.items())
    before, last = train[: order.segments[-1].start], order.segments[-1]
    drawn, total = counted(before), counted(train)
    excess = sum(max(0.0, drawn[c.vision_language, c.action] - len(train) * c.mass) for c in order.plan.cells)
    for c in order.plan.cells:
        assert abs(total[c.vision_language, c.action] - len(train) * c.mass) < 2 + excess + 1e-9
    assert last.start + last.n_draws == len(train)


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


def test_cells_that_have_too_much_already_get_nothing_more() -> None:
    shares = missing_shares(np.array([0.5, 0.25, 0.25]), np.array([9, 1, 0]), 2)
    np.testing.assert_allclose(shares, [0, 0.4, 0.6])
    np.testing.assert_array_equal(missing_shares(np.array([0.5, 0.5]), np.array([0, 0]), 3), [0.5, 0.5])
