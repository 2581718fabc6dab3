"""Stage ``align``: bring actions onto the picture clock, then decide what is kept (wall_wm.md §2.2–2.3).

Nothing moves on weak evidence. Actions are moved only when tool *positions* that were *measured* explain the
pictures at a lag that is clear (correlation, margin), certain (jackknife) and larger than the method's own error.
Joint speeds say when something moved but not how much of it the camera saw, and commands lead the motion by the
controller's delay; both can confirm that nothing is wrong or raise a finding, never move anything.
"""

import dataclasses
from collections.abc import Sequence
from enum import StrEnum

from pipeline.aligned import aligned_actions
from pipeline.clean import clean
from pipeline.episode_finding import STAGE_NAME, episode_finding
from pipeline.motion import MotionChannel, arm_channels, joint_channels
from pipeline.stage import Bundle, Read, Scope, Stage
from pipeline.sync import MOTION_WINDOW_S, LagEstimate, estimate_lag, motion_signals, visual_signals
from schemas.episode import ActionKind, ActionTrack, Alignment, Episode, SyncVerdict
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding, Verdict
from schemas.recipe import AlignSpec
from schemas.time import NS_PER_S


class Evidence(StrEnum):
    """What kind of motion the pictures are compared with, best first."""

    POSITIONS = "measured tool positions"
    JOINTS = "measured joints"
    COMMANDS = "commands"


def align(
    episode: Episode,
    actions: ActionTrack | None,
    strips: Sequence[Filmstrip],
    earlier: Sequence[Finding],
    spec: AlignSpec,
) -> list[Alignment | Finding]:
    """The episode's one `Alignment`, and the findings of sync and cleaning."""
    alignment, findings = synchronise(episode, actions, strips, spec)
    kept, cleaning = clean(episode, aligned_actions(actions, alignment), strips, earlier, spec)
    return [dataclasses.replace(alignment, kept=kept), *findings, *cleaning]


def synchronise(
    episode: Episode, actions: ActionTrack | None, strips: Sequence[Filmstrip], spec: AlignSpec
) -> tuple[Alignment, list[Finding]]:
    """Verdict and offset of one episode, with ``kept`` still empty."""
    if actions is None or actions.n_rows == 0 or actions.kind is ActionKind.NONE:
        return Alignment(episode.episode_id, SyncVerdict.NOT_APPLICABLE, 0, 0.0, 0.0, ()), []
    evidence, channels = evidence_of(actions)
    by_camera = {strip.camera: strip for strip in strips}
    visual = [
        signal
        for camera in episode.cameras
        if (strip := by_camera.get(camera.name)) is not None and len(strip.luma) == camera.n_frames
        for signal in visual_signals(camera, strip)
    ]
    estimate = estimate_lag(visual, motion_signals(actions.times_ns, channels), spec.max_lag_s)
    verdict, findings = judge(episode, estimate, evidence, spec)
    offset_ns = estimate.lag_ns if estimate is not None and verdict is SyncVerdict.CORRECTED else 0
    correlation, margin = (0.0, 0.0) if estimate is None else (estimate.correlation, estimate.margin)
    return Alignment(episode.episode_id, verdict, offset_ns, correlation, margin, ()), findings


def evidence_of(actions: ActionTrack) -> tuple[Evidence, list[MotionChannel]]:
    """The best motion a track offers: measured positions, else measured joints, else commands."""
    positions = arm_channels(actions, actions.state, MOTION_WINDOW_S)
    if positions:
        return Evidence.POSITIONS, positions
    joints = joint_channels(actions, actions.joint_state, MOTION_WINDOW_S)
    if joints:
        return Evidence.JOINTS, joints
    commands = arm_channels(actions, actions.target, MOTION_WINDOW_S)
    return Evidence.COMMANDS, commands or joint_channels(actions, actions.joint_target, MOTION_WINDOW_S)


def judge(
    episode: Episode, estimate: LagEstimate | None, evidence: Evidence, spec: AlignSpec
) -> tuple[SyncVerdict, list[Finding]]:
    """What an estimate allows: confirm, correct, or say that it is unverified and why."""
    if estimate is None:
        message = "video and actions offer no motion to compare; their clocks are taken as given"
        return SyncVerdict.UNVERIFIED, [episode_finding(episode, "sync_unverified", Verdict.KEEP, message)]
    doubt = _doubt(episode, estimate, evidence, spec)
    if doubt is not None:
        return SyncVerdict.UNVERIFIED, [doubt]
    lag_s = estimate.lag_ns / NS_PER_S
    if abs(lag_s) <= spec.tolerance_s:
        return SyncVerdict.CONFIRMED, []
    told = f"the pictures show the motion {abs(lag_s):.3f} s {'later' if lag_s > 0 else 'earlier'} than the actions"
    why = _objection(estimate, evidence, spec)
    if why is not None:
        finding = episode_finding(
            episode,
            "sync_offset_suspected",
            Verdict.KEEP,
            f"{told}, but {why}; compare the source's other episodes",
            value=lag_s,
            threshold=spec.tolerance_s,
        )
        return SyncVerdict.UNVERIFIED, [finding]
    finding = episode_finding(
        episode,
        "sync_corrected",
        Verdict.KEEP,
        f"{told}; they are moved (± {estimate.sigma_ns / 1e9:.3f} s, correlation {estimate.correlation:.2f})",
        value=lag_s,
        threshold=spec.tolerance_s,
    )
    return SyncVerdict.CORRECTED, [finding]


def _objection(estimate: LagEstimate, evidence: Evidence, spec: AlignSpec) -> str | None:
    """Why a clear lag may be told but not corrected; None when it may."""
    if not spec.correct:
        return "`align.correct` is off"
    if evidence is not Evidence.POSITIONS:
        return f"{evidence.value} are no ground to move them"
    if estimate.correlation < spec.min_correlation_to_move:
        return f"a correlation of {estimate.correlation:.2f} is too weak to move them"
    return None


def _doubt(episode: Episode, estimate: LagEstimate, evidence: Evidence, spec: AlignSpec) -> Finding | None:
    """Why an estimate says nothing, or None when it is clear and certain."""
    lag_s, sigma_s = estimate.lag_ns / NS_PER_S, estimate.sigma_ns / NS_PER_S
    if not estimate.inside:
        reason, value, threshold = f"best lag {lag_s:.3f} s is at or outside the window", lag_s, spec.max_lag_s
    elif estimate.correlation < spec.min_correlation:
        reason, value, threshold = "motion seen and recorded hardly agree", estimate.correlation, spec.min_correlation
    elif estimate.margin < spec.min_margin:
        reason, value, threshold = "other lags fit almost as well", estimate.margin, spec.min_margin
    elif sigma_s > spec.max_sigma_s:
        reason, value, threshold = "parts of the episode disagree about the lag", sigma_s, spec.max_sigma_s
    else:
        return None
    message = f"sync by {evidence.value}: {reason} (lag {lag_s:.3f} ± {sigma_s:.3f} s); the clocks are taken as given"
    return episode_finding(episode, "sync_unverified", Verdict.KEEP, message, value=value, threshold=threshold)


def run(bundle: Bundle, spec: AlignSpec) -> list[Alignment | Finding]:
    """`align` on a bundle's records."""
    return align(bundle.one(Episode), bundle.optional(ActionTrack), bundle.all(Filmstrip), bundle.all(Finding), spec)


STAGE = Stage(
    name=STAGE_NAME,
    version=1,
    scope=Scope.EPISODE,
    reads=(Read(Episode, "ingest"), Read(ActionTrack, "ingest"), Read(Filmstrip, "ingest"), Read(Finding, "ingest")),
    writes=(Alignment, Finding),
    recipe_slice=lambda recipe: recipe.align,
    run=run,
)
