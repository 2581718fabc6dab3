"""Acceptance tasks cannot be made, and seeds belong to one split."""

import re

import pytest

from benchmarks.sim.__main__ import main, seeds_of
from benchmarks.sim.tasks import DEVELOPMENT, ReservedError, Simulator, Split, development_tasks, split_of
from tests.test_repository import ROOT


def test_the_development_tasks_are_those_of_the_design_note() -> None:
    text = " ".join((ROOT / "docs" / "design" / "events.md").read_text(encoding="utf-8").split())
    found = re.search(r"MetaWorld (pick-place, [^;]*); robosuite ([^.]*)\.", text)
    assert found is not None
    assert list(DEVELOPMENT) == [*found[1].split(", "), *found[2].split(", ")]


@pytest.mark.parametrize("name", ["peg-insert-side", "Stack", "pick_place", "NutAssembly", "door-open-v3"])
def test_any_other_task_is_refused_by_name(name: str) -> None:
    with pytest.raises(ReservedError, match=f"{name}: reserved for acceptance"):
        development_tasks(["push", name])


def test_a_refusal_makes_nothing(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{tmp_path}/out", "--tasks", "peg-insert-side"]) == 1
    assert "reserved for acceptance" in capsys.readouterr().err


def test_all_development_tasks_are_made_when_none_is_named() -> None:
    assert [task.name for task in development_tasks([])] == list(DEVELOPMENT)
    assert {task.simulator for task in development_tasks([])} == set(Simulator)
    assert development_tasks(["push-v3"]) == [DEVELOPMENT["push"]]


def test_even_seeds_tune_and_odd_ones_are_held_out() -> None:
    assert [split_of(seed) for seed in range(4)] == [Split.TUNE, Split.HELD_OUT] * 2


@pytest.mark.parametrize(("text", "seeds"), [("0:3", [0, 1, 2]), ("1:8:2", [1, 3, 5, 7]), ("5,3", [3, 5])])
def test_seeds_are_a_range_or_a_list(text: str, seeds: list[int]) -> None:
    assert seeds_of(text) == seeds
