"""The scanner of emitted checks sees a name through every door that readers use, and stops at what it cannot see."""

import ast

import pytest

from tests.emitted_checks import DOORS, _checks_of, emitted

FILE = """
_CHECKS = {1: "from_a_table"}
def direct(ref): yield about_episode(ref, "direct_name", "m")
def keyword(ref): yield episode_finding(ref, check="by_keyword", message="m")
def chosen(ref, a): yield about_episode(ref, "one_way" if a else "other_way", "m")
def _door(ref, check, message): return about_episode(ref, check, message)
def through(ref): return _door(ref, "through_a_door", "m")
def aliased(ref):
    note = partial(about_episode, ref)
    yield note("by_alias", "m")
def variable(ref):
    check = "by_variable"
    yield about_episode(ref, check, "m")
def remarks(): return [("as_a_remark", f"{1} rows are odd", 1.0)]
def table(ref):
    for meaning, check in _CHECKS.items(): yield about_episode(ref, check, "m")
"""
NAMES = {
    *("direct_name", "by_keyword", "one_way", "other_way", "through_a_door"),
    *("by_alias", "by_variable", "as_a_remark", "from_a_table"),
}


def test_every_way_to_name_a_check_is_seen() -> None:
    assert _checks_of(ast.parse(FILE), "made_up.py", DOORS) == NAMES


def test_a_name_that_cannot_be_told_is_an_error() -> None:
    hidden = "def f(ref, names): yield about_episode(ref, names[0], 'm')"
    with pytest.raises(AssertionError, match=r"made_up\.py: cannot tell which check line 1 emits"):
        _checks_of(ast.parse(hidden), "made_up.py", DOORS)


def test_what_a_run_over_real_recordings_told_is_seen() -> None:
    """A sample from `joinery why`, one per door and layer."""
    seen = {"duplicate_recording", "view_black", "pose_planar", "rate_implied", "gripper_ignored", "sync_by_source"}
    assert seen | {"truncated_goal", "operator_pause", "retarget_unreachable", "range_too_short"} <= set(emitted())
