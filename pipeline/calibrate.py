"""Stage ``calibrate``: gripper scales and home poses per dataset and embodiment, never per episode (events.md K2).

An episode in which the gripper never closes would otherwise be stretched to a full range. A group may be larger
than memory, so its episodes stream by once, and at most about 2000 evenly spaced rows of each (fewer as the group
grows: the sample is halved whenever it outgrows its bound) are remembered. Results are rounded, because the stage is
keyed by content: one more episode should re-run nothing downstream.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

import numpy as np

from pipeline.aligned import aligned_actions
from pipeline.clean_actions import good_rows
from pipeline.errors import SourceError
from pipeline.home_pose import EdgeSample, edge_poses, home_poses
from pipeline.motion import arm_speed, joint_channels, local_velocity
from pipeline.opening_scale import HandSample, finger_scale, opening_scale
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.array import Bools, Floats, Ints
from schemas.calibration import Calibration, OpeningScale
from schemas.episode import ActionKind, ActionTrack, Alignment, Arm, ArmTrack, Episode
from schemas.finding import Finding, Verdict
from schemas.recipe import CalibrateSpec

ROWS_PER_EPISODE = 2000
MAX_ROWS = 200_000
"""Bound on the remembered rows of one arm's signal; 45 MB for a hand of six joints."""
_EARLY_SHARE = 0.1
_REST_PERCENTILE = 70.0
"""An arm rests while it is slower than its 70th percentile: grasps are slow, not still."""

R = TypeVar("R", Episode, Alignment, ActionTrack)


@dataclass
class SignalSample:
    """The bounded sample of one arm's signal over a group; deterministic in the order of the episodes."""

    samples: list[HandSample] = field(default_factory=list)
    halvings: int = 0
    n_rows: int = 0
    n_seen: int = 0

    def budget(self) -> int:
        """How many rows the next episode may give; 0 when this one is passed over."""
        rows = ROWS_PER_EPISODE >> self.halvings
        if rows:
            return rows
        every = 1 << (self.halvings - ROWS_PER_EPISODE.bit_length() + 1)
        return 1 if self.n_seen % every == 0 else 0

    def add(self, sample: HandSample | None) -> None:
        """Remember an episode's rows; halve everything when there are too many."""
        self.n_seen += 1
        if sample is None:
            return
        self.samples.append(sample)
        self.n_rows += len(sample.values)
        while self.n_rows > MAX_ROWS:
            self.halvings += 1
            one_each = self.n_rows == len(self.samples)
            self.samples = self.samples[::2] if one_each else [sample.thinned() for sample in self.samples]
            self.n_rows = sum(len(sample.values) for sample in self.samples)


def calibrate(
    group: str, recordings: Iterable[tuple[Episode, Alignment, ActionTrack | None]], spec: CalibrateSpec
) -> list[Calibration | Finding]:
    """The calibration of one group, and a finding for each hand that detectors will ignore and each unknown home.

    Raises SourceError when the hands of one group differ in their number of joints.
    """
    samples: dict[tuple[Arm, str], SignalSample] = {}
    edges = EdgeSample()
    source, dataset, embodiment = "", "", ""
    for episode, alignment, actions in recordings:
        source = source or episode.source
        dataset, embodiment = episode.dataset, episode.embodiment
        moved = aligned_actions(actions, alignment)
        if moved is None or not alignment.kept or moved.kind is ActionKind.PSEUDO:
            continue  # hands that were only seen have a scale of their own (`pipeline.pseudo.scale`)
        edges.add(edge_poses(episode, moved))
        rows = good_rows(moved) & _kept_rows(moved, alignment)
        for track, signal in _hands(moved):
            sample = samples.setdefault((track.arm, signal), SignalSample())
            sample.add(hand_sample(moved, track, signal, rows, sample.budget()))
            _check_width(group, episode, sample.samples)
    openings = tuple(scale for arm in Arm if (scale := _best_scale(arm, samples, embodiment, spec)) is not None)
    ignored = [_ignored(group, source, embodiment, scale) for scale in openings if not scale.informative]
    homes, reasons = home_poses(edges, spec)
    return [Calibration(group, dataset, embodiment, openings, homes), *ignored, *_no_homes(group, source, reasons)]


def _no_homes(group: str, source: str, reasons: list[str]) -> Iterator[Finding]:
    """Says without numbers why failed resets cannot be told in this group."""
    if reasons:
        message = f"{group}: failed resets cannot be told: {'; '.join(reasons)}"
        yield Finding(group, source, "calibrate", "home_pose_unknown", Verdict.KEEP, message)


def _ignored(group: str, source: str, embodiment: str, scale: OpeningScale) -> Finding:
    """Says without numbers, which would change the content key, why a hand is ignored and what to do."""
    hand = f"the {scale.arm.value} {'hand' if scale.signal == 'fingers' else 'gripper'} of {group} is ignored"
    why = "it hardly moves in the whole data set; if its command does, leave the measured column out of the recipe"
    if scale.signal == "fingers":
        why = (
            "it hardly moves within episodes, or which way it opens cannot be told; "
            f"if it grasps, set calibrate.fingers_open: {{{embodiment}: larger or smaller}}"
        )
    return Finding(group, source, "calibrate", "gripper_ignored", Verdict.KEEP, f"{hand}: {why}")


def _best_scale(
    arm: Arm, samples: dict[tuple[Arm, str], SignalSample], embodiment: str, spec: CalibrateSpec
) -> OpeningScale | None:
    """An arm's opening where it says something, else its fingers, else whichever there is."""
    scales: list[OpeningScale] = []
    if opening := samples.get((arm, "opening"), SignalSample()).samples:
        scales.append(opening_scale(arm, opening, spec))
    if fingers := samples.get((arm, "fingers"), SignalSample()).samples:
        scales.append(finger_scale(arm, fingers, spec.fingers_open.get(embodiment), spec))
    return next((scale for scale in scales if scale.informative), scales[0] if scales else None)


def hand_sample(actions: ActionTrack, track: ArmTrack, signal: str, rows: Bools, budget: int) -> HandSample | None:
    """At most ``budget`` evenly spaced rows of one hand, out of ``rows``; None when there is nothing to take."""
    n_rows = actions.n_rows
    raw = track.opening if signal == "opening" else track.fingers
    if raw is None or budget == 0 or n_rows == 0:
        return None
    values = raw.astype(np.float64).reshape(n_rows, -1)
    usable = np.flatnonzero(rows & np.all(np.isfinite(values), axis=1))
    if not len(usable):
        return None
    count = min(budget, len(usable))
    taken = usable[np.arange(count) * len(usable) // count]
    is_hand = signal == "fingers"
    velocity = local_velocity(actions.times_ns, values, rows) if is_hand else np.zeros_like(values)
    rest_half = _rest_half(actions, track, usable) if is_hand else np.zeros(n_rows, np.int8)
    return HandSample(
        values=values[taken],
        velocity=np.nan_to_num(velocity[taken]),
        rest_half=rest_half[taken],
        early=taken < usable[0] + max(1, int(len(usable) * _EARLY_SHARE)),
    )


def _rest_half(actions: ActionTrack, track: ArmTrack, usable: Ints) -> Ints:
    """int8 [T]: 1 in the first half and -1 in the second while the arm is slow, 0 while it is fast or unknown."""
    speed = _arm_motion(actions, track)
    sign = np.zeros(actions.n_rows, np.int8)
    if speed is None or not np.any(np.isfinite(speed[usable])):
        return sign
    slow = usable[speed[usable] <= np.nanpercentile(speed[usable], _REST_PERCENTILE)]
    sign[slow] = np.where(slow < usable[len(usable) // 2], 1, -1)
    return sign


def _arm_motion(actions: ActionTrack, track: ArmTrack) -> Floats | None:
    """Speed of the arm that carries a hand: its tool, else all joints that are no fingers; None when unknown."""
    if track.position is not None:
        return arm_speed(actions, track)
    if actions.joint_state is None:
        return None
    joints = actions.joint_state.reshape(actions.n_rows, -1)
    hands = [arm.fingers.reshape(actions.n_rows, -1) for arm in actions.state if arm.fingers is not None]
    fingers = np.concatenate(hands, axis=1) if hands else np.zeros((actions.n_rows, 0))
    is_finger = [any(np.array_equal(column, finger) for finger in fingers.T) for column in joints.T]
    names = {name for name, excluded in zip(actions.joint_names, is_finger, strict=True) if not excluded}
    speeds = [channel.speed for channel in joint_channels(actions, actions.joint_state) if channel.name in names]
    return np.sum(speeds, axis=0) if speeds else None


def _hands(actions: ActionTrack) -> list[tuple[ArmTrack, str]]:
    """Every measured gripper and hand with its signal, and the commanded one where none is measured."""
    found = {}
    for track in (*actions.target, *actions.state):  # a measured one replaces the command
        for signal, values in (("opening", track.opening), ("fingers", track.fingers)):
            if values is not None:
                found[track.arm, signal] = (track, signal)
    return [found[key] for key in sorted(found)]


def _kept_rows(actions: ActionTrack, alignment: Alignment) -> Bools:
    inside = np.zeros(actions.n_rows, np.bool_)
    for kept in alignment.kept:
        inside |= (actions.times_ns >= kept.start_ns) & (actions.times_ns < kept.end_ns)
    return inside


def _check_width(group: str, episode: Episode, samples: list[HandSample]) -> None:
    if samples and samples[-1].values.shape[1] != samples[0].values.shape[1]:
        raise SourceError(
            f"{group}: {episode.locator} has {samples[-1].values.shape[1]} finger joints, episodes before it have "
            f"{samples[0].values.shape[1]}; give the sources different embodiment names in the recipe"
        )


def by_episode(
    episodes: Iterable[list[Episode]], alignments: Iterable[list[Alignment]], tracks: Iterable[list[ActionTrack]]
) -> Iterator[tuple[Episode, Alignment, ActionTrack | None]]:
    """Join three streams that are ordered by episode id, holding one record of each; episodes without alignment go."""
    episode_stream, track_stream = _ordered(episodes), _ordered(tracks)
    episode, track = next(episode_stream, None), next(track_stream, None)
    for alignment in _ordered(alignments):
        while episode is not None and episode.episode_id < alignment.episode_id:
            episode = next(episode_stream, None)
        while track is not None and track.episode_id < alignment.episode_id:
            track = next(track_stream, None)
        if episode is None or episode.episode_id != alignment.episode_id:
            raise ValueError(f"alignment of {alignment.episode_id} has no episode, or episodes are out of order")
        has_track = track is not None and track.episode_id == alignment.episode_id
        yield episode, alignment, track if has_track else None


def _ordered(batches: Iterable[list[R]]) -> Iterator[R]:
    """The records of a stream one by one. Raises ValueError when they are not ordered by episode id."""
    before = ""
    for record in chain.from_iterable(batches):
        if record.episode_id <= before:
            raise ValueError(
                f"{type(record).__name__} {record.episode_id} follows {before}: expected rising episode ids"
            )
        before = record.episode_id
        yield record


def run(bundle: Bundle, spec: CalibrateSpec) -> list[Calibration | Finding]:
    """`calibrate` on a group's streams; the item is ``calibration_group(dataset, embodiment)``."""
    recordings = by_episode(bundle.stream(Episode), bundle.stream(Alignment), bundle.stream(ActionTrack))
    return calibrate(bundle.item, recordings, spec)


STAGE = Stage(
    name="calibrate",
    version=3,
    scope=Scope.GROUP,
    reads=(Read(Episode, "ingest"), Read(ActionTrack, "ingest"), Read(Alignment, "align")),
    writes=(Calibration, Finding),
    recipe_slice=lambda recipe: recipe.calibrate,
    run=run,
    content_keyed=True,
)
