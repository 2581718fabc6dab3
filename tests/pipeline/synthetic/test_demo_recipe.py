"""The demo's recipe says the truth about the demo's corpus: what was written is what is read."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources.formats import discover, read
from pipeline.sources.raw import RawEpisode
from pipeline.synthetic.catalogue import ROBOT_SOURCES, VIDEO_SOURCES
from pipeline.synthetic.trajectory import as_action_track
from schemas.episode import ArmTrack
from schemas.finding import Finding
from schemas.recipe import Recipe
from schemas.recipe_file import load_recipe
from schemas.source import EpisodeRef
from tests.pipeline.synthetic.conftest import SMALL

RECIPE = Path(__file__).resolve().parents[3] / "recipes" / "demo.yaml"


@pytest.fixture(scope="module")
def recipe(corpus: Path) -> Recipe:
    """The demo's recipe beside the small corpus, as it stands beside the large one in the repository."""
    folder = corpus.parents[1] / "recipes"
    folder.mkdir(exist_ok=True)
    return load_recipe(Path(shutil.copy(RECIPE, folder))).recipe


def found(recipe: Recipe, name: str) -> list[EpisodeRef | Finding]:
    source = next(source for source in recipe.sources if source.name == name)
    return list(discover(source, SourceFiles(source.path), MemoryDigests()))


def episode(recipe: Recipe, name: str, index: int = 0) -> RawEpisode:
    refs = [ref for ref in found(recipe, name) if isinstance(ref, EpisodeRef)]
    return read(refs[index], SourceFiles(refs[index].root))


def same(found: tuple[ArmTrack, ...], written: tuple[ArmTrack, ...]) -> None:
    assert [arm.arm for arm in found] == [arm.arm for arm in written]
    for ours, theirs in zip(found, written, strict=True):
        for name, tolerance in (("position", 1e-6), ("rotation", 1e-5), ("opening", 1e-6)):
            assert np.abs(getattr(ours, name) - getattr(theirs, name)).max() < tolerance, name


def test_the_recipe_names_every_source_with_its_kind(recipe: Recipe) -> None:
    expected = {source.name: source.kind for source in (*ROBOT_SOURCES, *VIDEO_SOURCES)}
    assert {source.name: source.kind for source in recipe.sources} == expected


@pytest.mark.parametrize("number", range(len(ROBOT_SOURCES)))
def test_poses_and_openings_come_back_as_they_were(recipe: Recipe, number: int) -> None:
    source = ROBOT_SOURCES[number]
    trajectory = source.trajectory((SMALL.seed, number), 0)
    raw = episode(recipe, source.name)
    written = as_action_track(trajectory, "")
    assert raw.actions is not None
    assert raw.actions.valid.all()
    same(raw.actions.state, written.state)
    same(raw.actions.target, () if source.name == "umi" else written.target)
    assert raw.instruction == trajectory.instruction
    assert [camera.expected_frames for camera in raw.cameras] == [trajectory.n_frames] * len(source.cameras)


def test_episodes_that_share_a_file_are_told_apart(recipe: Recipe) -> None:
    number = next(k for k, source in enumerate(ROBOT_SOURCES) if source.name == "open_robot")
    trajectory = ROBOT_SOURCES[number].trajectory((SMALL.seed, number), 1)
    raw = episode(recipe, "open_robot", 1)
    assert raw.actions is not None
    assert raw.actions.n_rows == trajectory.n_frames
    assert raw.cameras[0].video.start_ns > 0
    assert np.count_nonzero(~raw.actions.valid) == 6


def test_videos_are_episodes_without_actions(recipe: Recipe) -> None:
    for source in VIDEO_SOURCES:
        assert episode(recipe, source.name).actions is None


def test_readers_notice_what_is_broken(recipe: Recipe) -> None:
    with pytest.raises(SourceError, match="truncated"):
        episode(recipe, "teleop", 1)
    checks = [item.check for item in found(recipe, "recovery") if isinstance(item, Finding)]
    assert checks == ["listed_episode_missing"]
    assert "rows_not_finite" in [finding.check for finding in episode(recipe, "open_robot", 1).findings]
