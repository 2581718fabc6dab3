"""Robot descriptions in a recipe: read with it, checked with it, and moved without consequences."""

from pathlib import Path

import pytest

from schemas import recipe_extras
from schemas.recipe_extras import extras_problems
from schemas.recipe_file import LoadedRecipe, RecipeErrors, load_recipe
from tests.pipeline.kinematics.robots import PLANAR

KINEMATICS = "{arm: right, urdf: arm.urdf, tip_link: tool, joints: {shoulder: 0, elbow: j1}}"
RETARGET = "{arm: right, urdf: arm.urdf, tip_link: tool, base_pose: {xyz: [0, 0, 0.5]}}"


def written(folder: Path, *, kinematics: str = "", retarget: str = "", more: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "films").mkdir(exist_ok=True)
    (folder / "films" / "a.mp4").touch()
    (folder / "arm.urdf").write_text(PLANAR, encoding="utf-8")
    path = folder / "recipe.yaml"
    path.write_text(
        "joinery: 1\nworkspace: {url: workspace}\nsources:\n"
        "  - format: video_folder\n    name: films\n    path: films\n    card: {licence: MIT}\n"
        f"    kinematics: [{kinematics}]\n    retarget: [{retarget}]\n{more}",
        encoding="utf-8",
    )
    return path


def loaded(folder: Path, **keys: str) -> LoadedRecipe:
    return load_recipe(written(folder, **keys))


def problems(folder: Path, **keys: str) -> list[str]:
    with pytest.raises(RecipeErrors) as caught:
        loaded(folder, **keys)
    return [line.partition("sources[0].")[2] for line in caught.value.problems]


@pytest.fixture(autouse=True)
def _extras_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe_extras, "find_spec", lambda name: object())


def test_a_path_becomes_the_chain_it_names(tmp_path: Path) -> None:
    source = loaded(tmp_path, kinematics=KINEMATICS, retarget=RETARGET).recipe.sources[0]
    assert [joint.name for joint in source.kinematics[0].urdf.moving] == ["shoulder", "elbow"]
    assert source.retarget[0].urdf == source.kinematics[0].urdf


def test_moving_the_file_makes_the_same_recipe(tmp_path: Path) -> None:
    here = loaded(tmp_path / "here", kinematics=KINEMATICS)
    there = loaded(tmp_path / "there", kinematics=KINEMATICS)
    assert here.digest == there.digest
    longer = written(tmp_path / "there", kinematics=KINEMATICS)
    (tmp_path / "there" / "arm.urdf").write_text(PLANAR.replace("0.3 0 0", "0.31 0 0"), encoding="utf-8")
    assert load_recipe(longer).digest != here.digest


def test_a_file_that_is_not_there_is_a_problem_of_its_key(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, kinematics=KINEMATICS.replace("arm.urdf", "leg.urdf"))
    assert found.startswith("kinematics[0].urdf: ")
    assert found.endswith("leg.urdf: cannot be read (No such file or directory); name a URDF file")


def test_a_remote_file_is_refused(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, kinematics=KINEMATICS.replace("arm.urdf", "'s3://b/arm.urdf'"))
    assert found == "kinematics[0].urdf: found 's3://b/arm.urdf', expected a file on this machine"


def test_joints_are_those_of_the_chain(tmp_path: Path) -> None:
    assert problems(tmp_path, kinematics=KINEMATICS.replace("shoulder", "sholder")) == [
        "kinematics[0].joints: no moving joint 'sholder' between the links, there are shoulder, elbow"
    ]
    assert problems(tmp_path, kinematics=KINEMATICS.replace("shoulder: 0, ", "")) == [
        "kinematics[0].joints: no column for shoulder; every joint of the chain needs one"
    ]


def test_home_is_within_the_limits(tmp_path: Path) -> None:
    assert problems(tmp_path, retarget=RETARGET.replace("base_pose", "home: {elbow: 2.6}, base_pose")) == [
        "retarget[0].home.elbow: found 2.6, expected -2.5 to 2.5"
    ]


def test_a_retargeted_robot_stands_somewhere(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, retarget="{arm: right, urdf: arm.urdf, tip_link: tool}")
    assert found.startswith("retarget[0].base_pose: missing; add a section with the keys xyz, rpy")


def test_an_arm_is_described_once(tmp_path: Path) -> None:
    assert problems(tmp_path, kinematics=f"{KINEMATICS}, {KINEMATICS}") == [
        "kinematics[1].arm: found 'right' twice, expected each arm once"
    ]


def test_a_missing_library_is_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe_extras, "find_spec", lambda name: None)
    data = {"sources": [{}, {"retarget": [1], "pseudo_actions": {"method": "mediapipe_hands"}, "kinematics": []}]}
    found = list(extras_problems(data))
    assert [problem.path for problem in found] == [("sources", 1, "retarget"), ("sources", 1, "pseudo_actions")]
    assert "needs pinocchio, which is not here; install it with `pip install 'joinery[robot]'`" in found[0].message
