"""The truth file names every episode, every boundary and every defect."""

from pathlib import Path

from pipeline.synthetic.catalogue import ROBOT_SOURCES
from pipeline.synthetic.defects import Defect
from schemas.event import BoundaryKind
from schemas.truth import Truth
from tests.pipeline.synthetic.reading import truth_of


def test_what_is_written_is_read_back_and_nothing_is_added(corpus: Path) -> None:
    raw = truth_of(corpus)
    assert Truth.model_validate(raw).model_dump(mode="json", exclude_unset=True) == raw


def test_every_boundary_lies_inside_its_episode_and_says_what_it_is(corpus: Path) -> None:
    for episode in truth_of(corpus)["episodes"]:
        end_ns = episode["n_frames"] * 1_000_000_000 / episode["rate_hz"]
        times = [boundary["t_ns"] for boundary in episode["boundaries"]]
        assert times == sorted(times)
        assert times
        assert all(0 < t < end_ns for t in times)
        assert {boundary["kind"] for boundary in episode["boundaries"]} <= {kind.value for kind in BoundaryKind}


def test_every_defect_is_named_once(corpus: Path) -> None:
    defects = truth_of(corpus)["defects"]
    assert {defect["defect"] for defect in defects} == {defect.value for defect in Defect}
    assert [defect["source"] for defect in defects] == [source.name for source in ROBOT_SOURCES]


def test_phases_of_an_arm_tile_its_episode(corpus: Path) -> None:
    for episode in truth_of(corpus)["episodes"]:
        end_ns = round(episode["n_frames"] * 1_000_000_000 / episode["rate_hz"])
        for arm in {phase["arm"] for phase in episode["phases"]}:
            phases = [phase for phase in episode["phases"] if phase["arm"] == arm]
            edges = [0, *(phase["end_ns"] for phase in phases)]
            assert [phase["start_ns"] for phase in phases] == edges[:-1]
            assert edges[-1] == end_ns
