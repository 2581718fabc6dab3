"""The section on load plans: what contradicts itself is refused, naming the key to look at."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.recipe_load import LoadSpec


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"event_share": 0.7}, "event_share: the three shares add up to 1.2, expected 1"),
        ({"chunk_frames": 4}, "chunk_frames: found 4, expected min_frames"),
        ({"max_views": 99}, "budget: the longest window has 3597 tokens, the budget is 768"),
        ({"cost_linear": 0, "cost_quadratic": 0}, "cost_linear: both costs are 0"),
        ({"min_frames": 4}, "greater than or equal to 5"),
        ({"order": "random"}, "'strict', 'two_stage' or 'stride'"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        LoadSpec(**values)


def test_the_longest_window_counts_views_latents_state_and_actions() -> None:
    assert LoadSpec().most_tokens == 2 * 9 * 4 + 1 + 32
    assert LoadSpec(max_frames=65, tokens_per_latent=240, max_views=3, budget=32_768).most_tokens == 3 * 17 * 240 + 33
