"""What contradicts itself on paper is refused before any process starts."""

import pytest
from pydantic import ValidationError

from schemas.recipe_balance import BalanceSpec


def refused(match: str, **keys: object) -> None:
    with pytest.raises(ValidationError, match=match):
        BalanceSpec.model_validate(keys)


def test_nothing_to_balance_by() -> None:
    refused("alpha and beta are both 0", alpha=0, beta=0)
    BalanceSpec.model_validate({"alpha": 0, "beta": 0, "targets": {"action": {"by": "uniform"}}})


def test_methods_and_targets_go_together() -> None:
    refused("give vision_language, action or both", method={"by": "marginals"})
    refused("method power has no targets", method={"by": "power"}, targets={"action": {"by": "uniform"}})
    refused("no alpha and beta that could rise", method={"by": "power"}, curriculum_steps=3)


def test_shares_add_up_to_at_most_one() -> None:
    refused(r"floors add up to 1\.1", sources={"a": {"floor": 0.6}, "b": {"floor": 0.5}})
    refused(r"they add up to 1\.2", targets={"action": {"by": "shares", "shares": {"1": 0.7, "2": 0.5}}})


def test_a_floor_stays_below_its_cap() -> None:
    refused(r"at most cap \(0\.2\)", sources={"a": {"floor": 0.3, "cap": 0.2}})
    refused(r"at most cap \(0\.2\)", recovery={"floor": 0.3, "cap": 0.2})
