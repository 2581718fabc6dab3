"""The made-up world of the demo corpus as a simulator: no weights, no network, no graphics driver.

The corpus is a function of its parameters, so that any moment of any of its episodes can be made again, and what the
hand then does meets the same small physics (`pipeline.synthetic.simulator`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.recovery.demonstration import Pose
from pipeline.recovery.simulator import Moment, SceneError, check_same_scene
from pipeline.synthetic.catalogue import ROBOT_SOURCES, RobotSource
from pipeline.synthetic.corpus import GENERATOR, STAMP
from pipeline.synthetic.scene import Painter
from pipeline.synthetic.simulator import VERSION, RunningEpisode, plain_name
from pipeline.synthetic.trajectory import ItemMotion, Trajectory
from pipeline.synthetic.world import Support, support_height
from schemas.episode import Arm, CameraRole
from schemas.recording import RecordedCamera
from schemas.recovery_plan import PlannedEvent

_AGREE_M = 0.01
"""A corpus made again and its recording agree better than this, or they are not the same."""


class SyntheticSimulator:
    """Scenes of corpora that ``python -m pipeline.synthetic`` made."""

    @property
    def version(self) -> str:
        return f"{VERSION}, corpus generator {GENERATOR}"

    def scene(self, event: PlannedEvent) -> SyntheticScene:
        """Raises SceneError when the episode is not one of a corpus of this version."""
        root, locator = Path(event.scene.root), event.scene.locator
        source = next((source for source in ROBOT_SOURCES if source.name == root.name), None)
        number = locator.removeprefix("episode_index=")
        if source is None or not number.isdecimal():
            raise SceneError(f"{root}, {locator}: no episode of a made-up corpus")
        seed = (_corpus_seed(root.parent / STAMP), ROBOT_SOURCES.index(source))
        trajectory = source.trajectory(seed, int(number))
        row = event.scene.row
        if not 0 <= row < trajectory.n_frames:
            raise SceneError(f"{locator}: has {trajectory.n_frames} rows when made again, the plan wants row {row}")
        scene = SyntheticScene(source, seed, int(number), trajectory, row)
        check_same_scene(event, scene.look(), _AGREE_M)
        return scene


def _corpus_seed(stamp: Path) -> int:
    try:
        made_with = json.loads(stamp.read_text(encoding="utf-8"))
        generator, seed = int(made_with["generator"]), int(made_with["seed"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SceneError(f"{stamp}: does not say what the corpus was made with ({type(error).__name__})") from error
    if generator != GENERATOR:
        raise SceneError(f"{stamp}: made by generator {generator}, this is {GENERATOR}; make the corpus again")
    return seed


class SyntheticScene:
    """One episode of the corpus from one of its rows on."""

    def __init__(self, source: RobotSource, seed: tuple[int, ...], index: int, whole: Trajectory, row: int) -> None:
        self._source, self._whole = source, whole
        views = source.views(whole, seed, index)
        self._running = RunningEpisode(source, whole, row, views)
        self._painters = {camera: Painter(views[camera].size, look) for camera, look in source.looks(index).items()}

    @property
    def rate_hz(self) -> float:
        return float(self._source.fps)

    @property
    def cameras(self) -> Sequence[RecordedCamera]:
        return [_camera(name, arm) for name, arm in self._source.cameras.items()]

    def look(self) -> Moment:
        seen = self._running.pictures(self._painters, by_tick=False)
        return Moment(self._running.poses, dict(seen))

    def step(self, setpoints: Mapping[Arm, Pose]) -> Moment:
        self._running.step(setpoints)
        return self.look()

    def success(self) -> bool | None:
        """Whether every item that the demonstration brought to its support is on one now."""
        goals = [item for item in self._whole.items if _rests_on_support(item, self._whole.supports)]
        if not goals:
            return None
        bodies = {id(body.item): body for hand in self._running.hands.values() for body in hand.hand.bodies}
        heights = [support_height(self._whole.supports, bodies[id(g.item)].x, bodies[id(g.item)].y) for g in goals]
        resting = [bodies[id(g.item)].z - g.item.size_m[2] / 2 for g in goals]
        return all(height > 0 and abs(z - height) < 1e-3 for height, z in zip(heights, resting, strict=True))

    def close(self) -> None:
        """Nothing is held."""


def _rests_on_support(item: ItemMotion, supports: tuple[Support, ...]) -> bool:
    """Whether it ended somewhere that is not the table."""
    x, y, z = item.position[-1]
    height = support_height(supports, float(x), float(y))
    return height > 0 and abs(float(z) - item.item.size_m[2] / 2 - height) < 1e-3


def _camera(name: str, arm: Arm | None) -> RecordedCamera:
    roles = {None: CameraRole.THIRD_PERSON, Arm.LEFT: CameraRole.WRIST_LEFT, Arm.RIGHT: CameraRole.WRIST_RIGHT}
    return RecordedCamera(name=plain_name(name), file=f"{plain_name(name)}.mp4", role=roles[arm])
