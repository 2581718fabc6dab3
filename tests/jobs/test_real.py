"""The real recordings, whole: every source is read, and every defect that SOURCES.md lists of it is a finding."""

from collections import Counter
from pathlib import Path

import pytest

from jobs.river import RIVER
from jobs.run import RunResult, run_recipe
from jobs.why import Reasons, why
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.episode import Episode
from schemas.recipe_file import load_recipe
from tests.jobs.runs import Silent

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "real.yaml"

EPISODES = {
    "droid": 1, "g1": 5, "gr1": 5, "bridge": 25, "goalstep": 134, "hot3d": 2, "rosbag1": 1, "visionpro": 1,
    "nasa_two_streams": 1, "sintel_trailer": 1, "corridor_people": 1, "headset_clips": 2, "umi_mouse_arrangement": 1,
    "sweep_disturbed": 1, "boil_water": 2, "sim_pick_place_can": 3,
}  # fmt: skip

DEFECTS = [
    ("nasa_two_streams", "decoders disagree on the default stream", "several_video_streams", 1),
    ("headset_clips", "only 4 fps", "low_frame_rate", 2),
    ("hot3d", "no video", "no_camera", 2),
    ("goalstep", "no video", "no_camera", 134),
    ("umi_mouse_arrangement", "rotation rows not unit length", "rotation_not_unit", 1),
    ("umi_mouse_arrangement", "gripper never moves", "gripper_constant", 1),
    ("rosbag1", "no camera", "no_camera", 1),
    ("visionpro", "no camera", "no_camera", 1),
    ("g1", "metadata lists 100 episodes, 5 present", "listed_episode_missing", 1),
    ("droid", "empty task text", "task_text_empty", 1),
    ("droid", "scalar-collapsed joints", "scalar_collapsed", 2),
    ("droid", "all-zero gripper state", "gripper_constant", 1),
    ("droid", "missing cameras", "camera_missing", 2),
    ("droid", "non-standard path templates", "path_template_nonstandard", 2),
    ("bridge", "val = the same 25 in another order", "duplicate_recording", 25),
    ("bridge", "image_3 black", "view_black", 25),
    ("bridge", "all has_image flags wrong", "view_flag_disagrees", 25),
    ("boil_water", "1 fps", "low_frame_rate", 2),
]
"""Source, the defect in SOURCES.md's words, the check that finds it in the data, and how often."""

DECLARED = [
    ("sintel_trailer", "animated", "animated"),
    ("sweep_disturbed", "caption burned in", "burned_in_caption"),
    ("sim_pick_place_can", "scripted motion", "scripted_motion"),
]
"""What no check can see in the data; the recipe declares it, and so it is told."""


@pytest.fixture(scope="module")
def run(real: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Reasons, Counter[str]]:
    """One run over ``recipes/real.yaml``, what it told, and the episodes it read by source."""
    url = str(tmp_path_factory.mktemp("real"))
    loaded = load_recipe(RECIPE, [f"workspace.url={url}", "run.executor=inline"])
    result = run_recipe(loaded, Silent())
    workspace = Workspace.open(url, {})
    ledger = Ledger(workspace, loaded.recipe, RIVER)
    ledger.refresh_all()
    episodes = Counter(episode.source for episode in workspace.rows(Episode))
    return result, why(workspace, ledger, loaded.recipe, None), episodes


def test_every_real_recording_is_read(run: tuple[RunResult, Reasons, Counter[str]]) -> None:
    result, reasons, episodes = run
    assert result.succeeded
    assert reasons.failures == ()
    assert episodes == EPISODES


@pytest.mark.parametrize(("source", "defect", "check", "times"), DEFECTS)
def test_a_listed_defect_is_found_in_the_data(
    run: tuple[RunResult, Reasons, Counter[str]], source: str, defect: str, check: str, times: int
) -> None:
    found = [finding for finding in run[1].findings if (finding.source, finding.check) == (source, check)]
    assert len(found) == times, f"{defect}: {found}"


@pytest.mark.parametrize(("source", "defect", "check"), DECLARED)
def test_a_defect_no_check_can_see_is_declared_and_told(
    run: tuple[RunResult, Reasons, Counter[str]], source: str, defect: str, check: str
) -> None:
    (found,) = [finding for finding in run[1].findings if (finding.source, finding.check) == (source, check)]
    assert "declares" in found.message, defect
