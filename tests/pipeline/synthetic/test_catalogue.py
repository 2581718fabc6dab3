"""The demo corpus shows every kind of source, every version of the format and every way to say a pose."""

import pytest

from pipeline.synthetic.catalogue import ROBOT_SOURCES, VIDEO_SOURCES, RobotSource
from pipeline.synthetic.defects import Defect
from pipeline.synthetic.lerobot_writer import Codebase
from pipeline.synthetic.script import Variant
from schemas.source import SourceKind


def test_all_seven_kinds_are_there_once() -> None:
    kinds = [source.kind for source in (*ROBOT_SOURCES, *VIDEO_SOURCES)]
    assert sorted(kinds) == sorted(SourceKind)


def test_versions_layouts_and_defects_are_all_used() -> None:
    assert {source.codebase for source in ROBOT_SOURCES} == set(Codebase)
    assert {source.defect for source in ROBOT_SOURCES} == set(Defect)
    assert len({id(source.layout) for source in ROBOT_SOURCES}) == len(ROBOT_SOURCES)
    variants = {v for source in ROBOT_SOURCES for tasks in source.programme for arm in tasks.values() for v in arm}
    assert variants == set(Variant)


@pytest.mark.parametrize("source", ROBOT_SOURCES, ids=lambda source: source.name)
def test_an_episode_has_all_its_features_and_cameras(source: RobotSource) -> None:
    trajectory = source.trajectory((9, 9), 0)
    recorded = source.recorded(trajectory, (9, 9), 0)
    assert recorded.n_frames == trajectory.n_frames
    assert set(recorded.features) == set(source.dataset().names)
    for camera, size in source.dataset().cameras.items():
        picture = next(recorded.pictures[camera]())
        assert picture.shape == (size.height, size.width, 3)
