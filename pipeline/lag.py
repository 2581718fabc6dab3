"""Stage ``lag``: compare the motion that cameras saw with the motion that was recorded, at every lag.

Only measures. `pipeline.vote` asks all episodes of a source, `pipeline.align` judges; so another threshold never
repeats the sweep, and another episode repeats nobody else's.
"""

from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from pipeline.motion import MotionChannel, arm_channels, joint_channels
from pipeline.stage import Bundle, Read, Scope, Stage
from pipeline.sync import GRID_NS, MOTION_WINDOW_S, motion_signals, sweep_lags, visual_signals
from schemas.episode import ActionKind, ActionTrack, Episode
from schemas.filmstrip import Filmstrip
from schemas.recipe import Recipe
from schemas.recipe_section import Positive, Section
from schemas.sync import Evidence, LagCurve

_OWN_CLOCK = (ActionKind.MEASURED, ActionKind.RETARGETED)
"""Pseudo-actions are made from the pictures themselves: there is no second clock."""


class LagSpec(Section):
    """The part of ``align`` that the sweep depends on."""

    max_lag_s: Positive


def lag_curve(
    episode: Episode, actions: ActionTrack | None, strips: Sequence[Filmstrip], max_lag_s: float
) -> LagCurve | None:
    """The episode's evidence; None without actions of their own clock, or when nothing moves or is seen to move."""
    if actions is None or actions.n_rows == 0 or actions.kind not in _OWN_CLOCK:
        return None
    by_camera = {strip.camera: strip for strip in strips}
    visual = [
        signal
        for camera in episode.cameras
        if (strip := by_camera.get(camera.name)) is not None and len(strip.luma) == camera.n_frames
        for signal in visual_signals(camera, strip)
    ]
    for evidence, channels in evidence_of(actions):
        sweep = sweep_lags(visual, motion_signals(actions.times_ns, channels), max_lag_s)
        if sweep is not None:
            return LagCurve(
                episode_id=episode.episode_id,
                source=episode.source,
                evidence=evidence,
                step_ns=GRID_NS,
                correlation=sweep.correlation,
                doubt=sweep.doubt,
                estimate=sweep.estimate,
                halves=sweep.halves,
            )
    return None


def evidence_of(actions: ActionTrack) -> Iterator[tuple[Evidence, list[MotionChannel]]]:
    """The motion a track offers, best first: measured positions, measured joints, commands."""
    yield Evidence.POSITIONS, arm_channels(actions, actions.state, MOTION_WINDOW_S)
    yield Evidence.JOINTS, joint_channels(actions, actions.joint_state, MOTION_WINDOW_S)
    yield Evidence.COMMANDS, arm_channels(actions, actions.target, MOTION_WINDOW_S)
    yield Evidence.COMMANDS, joint_channels(actions, actions.joint_target, MOTION_WINDOW_S)


def lag_spec(recipe: Recipe) -> BaseModel:
    """What of the recipe changes a curve."""
    return LagSpec(max_lag_s=recipe.align.max_lag_s)


def run(bundle: Bundle, spec: LagSpec) -> list[LagCurve]:
    """`lag_curve` on a bundle's records."""
    curve = lag_curve(bundle.one(Episode), bundle.optional(ActionTrack), bundle.all(Filmstrip), spec.max_lag_s)
    return [] if curve is None else [curve]


STAGE = Stage(
    name="lag",
    version=1,
    scope=Scope.EPISODE,
    reads=(Read(Episode, "ingest"), Read(ActionTrack, "ingest"), Read(Filmstrip, "ingest")),
    writes=(LagCurve,),
    recipe_slice=lag_spec,
    run=run,
    content_keyed=True,
)
