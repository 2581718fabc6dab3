"""Everything a shard's samples need of one episode, put together once per shard."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.aligned import aligned_actions
from pipeline.errors import JoineryError
from pipeline.pseudo.scale import calibration_for
from pipeline.shards.actions import Control, control_of
from pipeline.shards.names import camera_names
from schemas.calibration import Calibration, calibration_group
from schemas.cluster import Assignment
from schemas.episode import ActionTrack, Alignment, Episode
from schemas.event import Event


@dataclass(frozen=True, eq=False)
class Recording:
    """One episode as its samples see it."""

    episode: Episode
    alignment: Alignment
    actions: ActionTrack | None
    """On the video clock."""
    calibration: Calibration
    control: Control
    events: Mapping[str, Event]
    """The whole tree by id, so that ancestors resolve."""
    assignments: Mapping[str, Assignment]
    views: Mapping[str, str]
    """Camera to its name in the shard, master view first."""


def recordings_of(
    *,
    episodes: Iterable[Episode],
    alignments: Iterable[Alignment],
    tracks: Iterable[ActionTrack],
    calibrations: Iterable[Calibration],
    events: Iterable[Event],
    assignments: Iterable[Assignment],
) -> dict[str, Recording]:
    """Recordings by episode id. Raises JoineryError naming the episode that lacks its alignment or calibration."""
    alignment_of = {alignment.episode_id: alignment for alignment in alignments}
    track_of = {track.episode_id: track for track in tracks}
    calibration_of = {calibration.group: calibration for calibration in calibrations}
    tree_of: dict[str, dict[str, Event]] = {}
    for event in events:
        tree_of.setdefault(event.episode_id, {})[event.event_id] = event
    assigned_to: dict[str, dict[str, Assignment]] = {}
    for assignment in assignments:
        assigned_to.setdefault(assignment.episode_id, {})[assignment.event_id] = assignment
    found = {}
    for episode in episodes:
        name = episode.episode_id
        group = calibration_group(episode.dataset, episode.embodiment)
        if name not in alignment_of or group not in calibration_of:
            missing = "alignment" if name not in alignment_of else f"calibration of {group}"
            raise JoineryError(f"{name} ({episode.locator}): no {missing}; run again, so that the stage before is done")
        actions = aligned_actions(track_of.get(name), alignment_of[name])
        calibration = calibration_for(actions, calibration_of[group])
        found[name] = Recording(
            episode=episode,
            alignment=alignment_of[name],
            actions=actions,
            calibration=calibration,
            control=control_of(actions, calibration),
            events=tree_of.get(name, {}),
            assignments=assigned_to.get(name, {}),
            views=camera_names([camera.name for camera in episode.cameras]),
        )
    return found
