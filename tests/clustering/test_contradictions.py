"""Refusals name the limits that bind, the events behind them, and a value that works."""

import re

import pytest

from clustering.balance import balance
from clustering.errors import BalanceError
from schemas.recipe_balance import BalanceSpec
from tests.clustering.made import strata

KINDS = strata(
    [500, 20, 400, 10, 70], [0, 0, 1, 1, 2], [0, 0, 0, 1, -1], ["a", "a", "b", "b", "c"],
    [False, True, False, True, False],
)  # fmt: skip


def refusal(**asked: object) -> str:
    with pytest.raises(BalanceError) as refused:
        balance(KINDS, BalanceSpec.model_validate(asked))
    return str(refused.value)


def test_a_floor_out_of_reach_says_how_far_its_events_reach() -> None:
    text = refusal(sources={"c": {"floor": 0.8}})
    assert "balance.sources.c.floor is 0.8, but its 70 of 1,000 events (share 0.07)" in text
    assert "used at most balance.repeat_cap = 10 times each, reach 0.7; lower it to 0.7 or raise" in text
    assert "raise balance.repeat_cap to 11.4286" in text
    balance(KINDS, BalanceSpec.model_validate({"sources": {"c": {"floor": 0.7}}}))
    balance(KINDS, BalanceSpec.model_validate({"sources": {"c": {"floor": 0.8}}, "repeat_cap": 11.4286}))


def test_a_source_repeated_less_says_so() -> None:
    text = refusal(sources={"c": {"floor": 0.4, "repeat_cap": 3}})
    assert "used at most balance.sources.c.repeat_cap = 3 times each, reach 0.21;" in text


def test_a_cap_below_what_every_event_must_be_used() -> None:
    text = refusal(sources={"a": {"cap": 0.05}})
    assert "balance.sources.a.cap is 0.05" in text
    assert "raise it to 0.052 or lower balance.floor to 0.09615" in text
    balance(KINDS, BalanceSpec.model_validate({"sources": {"a": {"cap": 0.05}}, "floor": 0.09615}))


def test_a_cap_that_the_others_cannot_make_up_for() -> None:
    text = refusal(sources={"a": {"cap": 0.1}}, repeat_cap=1.5)
    assert "the others, used at most balance.repeat_cap = 1.5 times each, leave 0.28" in text
    balance(KINDS, BalanceSpec.model_validate({"sources": {"a": {"cap": 0.28}}, "repeat_cap": 1.5}))


def test_all_limits_that_fail_by_themselves_are_named_at_once() -> None:
    text = refusal(sources={"c": {"floor": 0.9}, "nobody": {"floor": 0.01}}, recovery={"floor": 0.5})
    assert re.findall(r"balance\.[a-z.]+ is [0-9.]+", text) == [
        "balance.sources.c.floor is 0.9", "balance.sources.nobody.floor is 0.01", "balance.recovery.floor is 0.5",
    ]  # fmt: skip
    assert "no such training event" in text


def test_limits_that_fail_only_together_say_what_each_could_be() -> None:
    asked = {"sources": {"c": {"floor": 0.65}}, "recovery": {"floor": 0.3}}
    text = refusal(**asked)
    assert "contradict each other" in text
    left = {
        name: float(most) for name, most in re.findall(r"(\S+)\.floor is [0-9.]+ \(the others leave ([0-9.]+)\)", text)
    }
    assert set(left) == {"balance.sources.c", "balance.recovery"}
    balance(KINDS, BalanceSpec.model_validate({**asked, "recovery": {"floor": left["balance.recovery"]}}))
    balance(KINDS, BalanceSpec.model_validate({**asked, "sources": {"c": {"floor": left["balance.sources.c"]}}}))


def test_targets_out_of_reach_name_their_clusters() -> None:
    text = refusal(targets={"vision_language": {"by": "uniform"}}, repeat_cap=2)
    assert "balance.targets.vision_language, cluster 2 is 0.333333" in text
    text = refusal(targets={"action": {"by": "uniform"}})
    assert "balance.targets.action, cluster 1 is 0.5" in text
