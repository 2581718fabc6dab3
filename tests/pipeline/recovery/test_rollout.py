"""A rollout records what happened, success or failure, as a recording that the reader takes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.errors import JoineryError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.recovery.approach import approach
from pipeline.recovery.demonstration import Pose
from pipeline.recovery.plan import pose_of
from pipeline.recovery.rollout import Outcome, UnreachableStartError, roll_out
from pipeline.recovery.simulator import Moment, SceneError, simulator_named, simulator_names
from pipeline.recovery.synthetic_arm import SyntheticSimulator
from pipeline.sources.self_collected import discover, read
from schemas.episode import Arm, SpanMeaning
from schemas.event import BoundaryKind
from schemas.finding import Finding
from schemas.recipe_formats.self_collected import SelfCollectedSource
from schemas.recipe_recover import RecoverSpec
from schemas.recording import RECORDING, UNFINISHED, RecordedCamera
from schemas.recovery_plan import PlannedEvent, Start, StartKind
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S
from tests.pipeline.recovery.made import MadeEpisode

CONTACTS = (BoundaryKind.GRASP, BoundaryKind.SUPPORT, BoundaryKind.RELEASE)


def rolled(episode: MadeEpisode, kind: BoundaryKind, folder: Path, start: Start | None = None) -> Outcome:
    event, demonstration = episode.planned(kind, RecoverSpec(alpha=1, starts=20))
    scene = SyntheticSimulator().scene(event)
    return roll_out(event, start or upward(event), demonstration, scene, folder)


def upward(event: PlannedEvent) -> Start:
    """The start that is highest: above a support there is room for what is held."""
    return max(event.starts, key=lambda start: start.pose.position_m[2])


def lowest(event: PlannedEvent) -> Start:
    return min(event.starts, key=lambda start: start.pose.position_m[2])


@pytest.mark.parametrize("kind", CONTACTS)
def test_an_arm_that_was_perturbed_comes_back_and_does_the_task(
    episode: MadeEpisode, kind: BoundaryKind, tmp_path: Path
) -> None:
    assert rolled(episode, kind, tmp_path / "a") == Outcome(recovered=True, success=True, reason="")


def test_the_reader_takes_a_recording_for_what_it_is(episode: MadeEpisode, tmp_path: Path) -> None:
    rolled(episode, BoundaryKind.GRASP, tmp_path / "a")
    spec = SelfCollectedSource(
        format="self_collected", name="r", path=str(tmp_path), kind="recovery", card={"licence": "CC0-1.0"}
    )
    files = SourceFiles(str(tmp_path))
    (ref,) = discover(spec, files, MemoryDigests())
    assert isinstance(ref, EpisodeRef)
    raw = read(ref, files)
    assert raw.actions is not None
    assert raw.instruction == episode.trajectory.instruction
    spans = {span.meaning: span for span in raw.annotations if span.track.startswith("recovery")}
    order = [SpanMeaning.INVALID, SpanMeaning.ERROR, SpanMeaning.RECOVERY, SpanMeaning.OTHER]
    assert [spans[meaning].start_ns for meaning in order[1:]] == [spans[meaning].end_ns for meaning in order[:-1]]
    assert spans[SpanMeaning.INVALID].start_ns == 0
    assert spans[SpanMeaning.OTHER].end_ns == int(raw.actions.times_ns[-1]) + NS_PER_S // 20
    assert spans[SpanMeaning.ERROR].text == "perturbed_start"
    assert episode.ref.episode_id in spans[SpanMeaning.OTHER].text
    assert raw.actions.commands is not None
    assert raw.findings == ()


def test_the_parts_are_where_the_plan_says(episode: MadeEpisode, tmp_path: Path) -> None:
    rolled(episode, BoundaryKind.GRASP, tmp_path / "a")
    event, _ = episode.planned(BoundaryKind.GRASP, RecoverSpec(alpha=1, starts=20))
    table = pq.read_table(tmp_path / "a" / "rows.parquet")
    phases = table.column("phase").to_pylist()
    position = np.array(table.column("right_position").to_pylist())
    away = np.linalg.norm(position - np.array(upward(event).pose.position_m), axis=1)
    assert away[[phase == "perturbed" for phase in phases]].max() < 0.005
    assert event.nominal is not None
    back = position[phases.index("original")]
    assert np.linalg.norm(back - np.array(event.nominal.position_m)) < 0.02


def test_a_start_at_the_contact_pose_recovers_from_nothing(episode: MadeEpisode, tmp_path: Path) -> None:
    event, demonstration = episode.planned(BoundaryKind.GRASP, RecoverSpec(alpha=0, starts=1))
    assert event.starts[0].kind is StartKind.NOMINAL
    outcome = roll_out(event, event.starts[0], demonstration, SyntheticSimulator().scene(event), tmp_path / "a")
    assert outcome.success is True
    assert not (tmp_path / "a" / "recovery.json").exists()
    assert set(pq.read_table(tmp_path / "a" / "rows.parquet").column("phase").to_pylist()) == {"original"}


def test_the_same_start_is_the_same_rollout(episode: MadeEpisode, tmp_path: Path) -> None:
    for name in ("a", "b"):
        rolled(episode, BoundaryKind.GRASP, tmp_path / name)
    assert (tmp_path / "a" / "rows.parquet").read_bytes() == (tmp_path / "b" / "rows.parquet").read_bytes()
    assert (tmp_path / "a" / "exterior.mp4").read_bytes() == (tmp_path / "b" / "exterior.mp4").read_bytes()


def test_a_start_that_cannot_be_reached_says_how_near_the_arm_came(episode: MadeEpisode, tmp_path: Path) -> None:
    """An item that is put down stops the hand."""
    event, demonstration = episode.planned(BoundaryKind.SUPPORT, RecoverSpec(alpha=1, starts=20))
    scene = SyntheticSimulator().scene(event)
    with pytest.raises(UnreachableStartError, match=r"the arm stopped \d+ mm and \d+° away"):
        roll_out(event, lowest(event), demonstration, scene, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def steps_to_start(event: PlannedEvent) -> int:
    """How long the arm is on its way to the highest start."""
    scene = SyntheticSimulator().scene(event)
    goal = pose_of(upward(event).pose, 1.0)
    return len(list(approach(scene.look().arms[Arm.RIGHT], goal, scene.rate_hz)))


class Stubborn:
    """A scene whose arm stops obeying after some steps, and whose task is never done."""

    def __init__(self, scene: Any, obeys: int) -> None:
        self.scene, self.obeys = scene, obeys
        self.rate_hz: float = scene.rate_hz
        self.cameras: Sequence[RecordedCamera] = scene.cameras

    def look(self) -> Moment:
        return self.scene.look()  # type: ignore[no-any-return]

    def step(self, setpoints: Mapping[Arm, Pose]) -> Moment:
        self.obeys -= 1
        return self.scene.step(setpoints) if self.obeys >= 0 else self.scene.look()  # type: ignore[no-any-return]

    def success(self) -> bool | None:
        return False

    def close(self) -> None: ...


def test_a_failure_is_kept_and_says_so(episode: MadeEpisode, tmp_path: Path) -> None:
    event, demonstration = episode.planned(BoundaryKind.GRASP, RecoverSpec(alpha=1, starts=20))
    scene = Stubborn(SyntheticSimulator().scene(event), 10_000)
    outcome = roll_out(event, upward(event), demonstration, scene, tmp_path / "a")
    assert outcome == Outcome(recovered=True, success=False, reason="the task was not done")
    assert json.loads((tmp_path / "a" / RECORDING).read_text())["success"] is False
    assert json.loads((tmp_path / "a" / "recovery.json").read_text())["outcome"] == "failure"


def test_an_arm_that_does_not_come_back_is_a_failure_with_its_own_reason(episode: MadeEpisode, tmp_path: Path) -> None:
    event, demonstration = episode.planned(BoundaryKind.GRASP, RecoverSpec(alpha=1, starts=20))
    scene = Stubborn(SyntheticSimulator().scene(event), steps_to_start(event) + 8)
    outcome = roll_out(event, upward(event), demonstration, scene, tmp_path / "a")
    assert outcome.recovered is False
    assert "the contact pose was not reached again" in outcome.reason


def test_a_task_that_the_plan_cuts_short_may_still_be_done(episode: MadeEpisode, tmp_path: Path) -> None:
    event, demonstration = episode.planned(BoundaryKind.GRASP, RecoverSpec(alpha=1, starts=20, max_replay_s=1))
    assert event.cut_short
    outcome = roll_out(event, upward(event), demonstration, SyntheticSimulator().scene(event), tmp_path / "a")
    assert outcome.success is None


def test_a_rollout_that_dies_leaves_nothing_that_passes_for_a_recording(episode: MadeEpisode, tmp_path: Path) -> None:
    class Dies(Stubborn):
        def step(self, setpoints: Mapping[Arm, Pose]) -> Moment:
            raise RuntimeError("the simulator is gone")

    event, demonstration = episode.planned(BoundaryKind.GRASP)
    with pytest.raises(RuntimeError, match="gone"):
        roll_out(event, upward(event), demonstration, Dies(SyntheticSimulator().scene(event), 0), tmp_path / "a")
    assert (tmp_path / "a" / UNFINISHED).exists()
    spec = SelfCollectedSource(format="self_collected", name="r", path=str(tmp_path), card={"licence": "CC0-1.0"})
    (found,) = discover(spec, SourceFiles(str(tmp_path)), MemoryDigests())
    assert isinstance(found, Finding)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"locator": "episode_index=7"}, "mm from where it was recorded"),
        ({"root": "/nowhere/kitchen"}, "no episode of a made-up corpus"),
        ({"root": "/nowhere/open_robot"}, "does not say what the corpus was made with"),
        ({"row": 99999}, "rows when made again"),
    ],
)
def test_a_scene_that_is_not_the_recorded_one_is_refused(
    episode: MadeEpisode, changed: dict[str, Any], reason: str
) -> None:
    event, _ = episode.planned(BoundaryKind.GRASP)
    elsewhere = event.model_copy(update={"scene": event.scene.model_copy(update=changed)})
    with pytest.raises(SceneError, match=reason):
        SyntheticSimulator().scene(elsewhere)


def test_simulators_are_known_by_name() -> None:
    assert {"robosuite", "synthetic"} <= set(simulator_names())
    assert isinstance(simulator_named("synthetic"), SyntheticSimulator)
    with pytest.raises(JoineryError, match=r"no such simulator; there are .*synthetic"):
        simulator_named("matrix")


def test_a_laboratory_registers_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "ours"

        def load(self) -> type[SyntheticSimulator]:
            return SyntheticSimulator

    def points(group: str, name: str = "") -> list[Point]:
        return [Point()] if group == "joinery.simulators" and name in ("", "ours") else []

    monkeypatch.setattr("pipeline.recovery.simulator.entry_points", points)
    assert "ours" in simulator_names()
    assert isinstance(simulator_named("ours"), SyntheticSimulator)
