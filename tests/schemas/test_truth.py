"""The truth file: one truth per episode, whole nanoseconds, and nothing is quietly ignored."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.event import BoundaryKind
from schemas.truth import Truth

ENTRY: dict[str, Any] = {"source": "lab", "locator": "a.mp4", "rate_hz": 20, "n_frames": 40, "boundaries": []}


def truth(*entries: dict[str, Any], **more: Any) -> Truth:
    return Truth.model_validate({"truth": 1, "episodes": list(entries), **more})


def test_the_least_an_entry_needs_is_who_how_long_and_what() -> None:
    (episode,) = truth(ENTRY).episodes
    assert episode.success is None
    assert episode.phases == ()


def test_an_episode_has_one_truth() -> None:
    with pytest.raises(ValidationError, match=r"listed more than once: lab: a\.mp4"):
        truth(ENTRY, ENTRY)


def test_a_key_that_nobody_knows_is_a_mistake_and_not_ignored() -> None:
    with pytest.raises(ValidationError, match="boundary"):
        truth(ENTRY | {"boundary": []})


def test_times_are_whole_nanoseconds() -> None:
    with pytest.raises(ValidationError, match="integer"):
        truth(ENTRY | {"boundaries": [{"kind": "grasp", "t_ns": 0.5}]})


def test_what_was_looked_for_can_be_less_than_everything() -> None:
    assert BoundaryKind.TRANSPORT in truth(ENTRY).kinds
    assert truth(ENTRY, kinds=["grasp", "release"]).kinds == (BoundaryKind.GRASP, BoundaryKind.RELEASE)
