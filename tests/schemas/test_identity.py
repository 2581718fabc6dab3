"""Ids come from contents, and no two different contents share a text that is hashed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import ID_HEX_DIGITS, canonical_json, digest, make_id, work_key

parts = st.lists(st.text(max_size=6), max_size=4)


@given(parts, parts)
def test_different_parts_never_share_a_digest(first: list[str], second: list[str]) -> None:
    assert (digest(*first) == digest(*second)) == (first == second)


@given(st.dictionaries(st.text(max_size=4), st.integers() | st.booleans() | st.text(max_size=4)))
def test_key_order_is_not_part_of_a_value(value: dict[str, object]) -> None:
    assert canonical_json(value) == canonical_json(dict(reversed(value.items())))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_without_a_text_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": value})


def test_an_id_says_its_kind_and_kinds_never_collide() -> None:
    episode, event = make_id("ep", "a"), make_id("ev", "a")
    assert (len(episode), episode[:3], event[:3]) == (3 + ID_HEX_DIGITS, "ep-", "ev-")
    assert episode[3:] != event[3:]


def test_ids_stay_what_they_were() -> None:
    """Committed results are found by these; a changed hash would orphan every workspace."""
    assert make_id("ep", "episode_index=0", "table=00") == "ep-0697c724076d8d992b7d1fbef0f44971"
    assert work_key("segment", 1, "s", "", ["a", "b"])[:16] == "714c8ff9d6c326f3"


@pytest.mark.parametrize(
    "changed",
    [
        work_key("align", 1, "s", "r", ["a", "b"]),
        work_key("segment", 2, "s", "r", ["a", "b"]),
        work_key("segment", 1, "t", "r", ["a", "b"]),
        work_key("segment", 1, "s", "q", ["a", "b"]),
        work_key("segment", 1, "s", "r", ["b", "a"]),
        work_key("segment", 1, "s", "r", ["a"]),
    ],
)
def test_everything_a_result_depends_on_is_in_its_work_key(changed: str) -> None:
    assert changed != work_key("segment", 1, "s", "r", ["a", "b"])
