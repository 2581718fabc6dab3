"""Stage ``outline``: one episode in a few kilobytes, for comparing it with all others (docs/dedup.md)."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.aligned import aligned_actions
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.array import Floats
from schemas.episode import ActionTrack, Alignment, Arm, ArmTrack, Camera, Episode
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding, Verdict
from schemas.outline import N_MOMENTS, Outline, ViewOutline
from schemas.recipe_section import Section
from schemas.time import NS_PER_S


class OutlineSlice(Section):
    """Nothing: an outline is what was recorded."""


def outline(
    episode: Episode,
    filmstrips: Mapping[str, Filmstrip],
    alignment: Alignment,
    actions: ActionTrack | None,
    findings: Sequence[Finding],
) -> Outline:
    """The outline of one episode; ``filmstrips`` by camera, ``actions`` on the video clock."""
    duration_ns = episode.master.end_ns
    moments = (np.arange(N_MOMENTS) + 0.5) * duration_ns / N_MOMENTS
    return Outline(
        episode_id=episode.episode_id,
        source=episode.source,
        dataset=episode.dataset,
        locator=episode.locator,
        duration_s=duration_ns / NS_PER_S,
        kept_s=alignment.kept_s,
        action_kind=episode.action_kind,
        verdict=alignment.verdict,
        n_doubts=sum(finding.verdict is not Verdict.KEEP for finding in findings),
        views=tuple(_view(camera, filmstrips[camera.name], moments) for camera in episode.cameras),
        path=_path(actions, moments),
    )


def _view(camera: Camera, strip: Filmstrip, moments: NDArray[np.float64]) -> ViewOutline:
    shown = np.searchsorted(camera.times_ns, moments, side="right") - 1
    film = strip.descriptor[np.clip(shown, 0, camera.n_frames - 1)]
    return ViewOutline(camera.name, camera.width * camera.height, film)


def _path(actions: ActionTrack | None, moments: NDArray[np.float64]) -> Floats:
    path = np.full((N_MOMENTS, 6), np.nan, np.float32)
    for i, arm in enumerate((Arm.LEFT, Arm.RIGHT)):
        position = None if actions is None else _position(actions, arm)
        if actions is None or position is None:
            continue
        rows = np.flatnonzero(actions.valid & np.isfinite(position).all(axis=1))
        if len(rows) == 0:
            continue
        at = actions.times_ns[rows]
        inside = (moments >= at[0]) & (moments <= at[-1])
        for axis in range(3):
            column = np.interp(moments, at, position[rows, axis].astype(np.float64))
            path[:, 3 * i + axis] = np.where(inside, column, np.nan)
    return path


def _position(actions: ActionTrack, arm: Arm) -> Floats | None:
    """Measured before commanded, as everywhere."""
    parts: list[ArmTrack] = [part for part in (*actions.state, *actions.target) if part.arm is arm]
    return next((part.position for part in parts if part.position is not None), None)


def run(bundle: Bundle, _spec: OutlineSlice) -> Iterable[object]:
    """The outline of one episode; none of one without pictures, which has no events and no clock to compare on."""
    episode, alignment = bundle.one(Episode), bundle.one(Alignment)
    if not episode.cameras:
        return []
    actions = aligned_actions(bundle.optional(ActionTrack), alignment)
    strips = {strip.camera: strip for strip in bundle.all(Filmstrip)}
    return [outline(episode, strips, alignment, actions, bundle.all(Finding))]


STAGE = Stage(
    name="outline",
    version=2,
    scope=Scope.EPISODE,
    reads=(
        Read(Episode, "ingest"),
        Read(Filmstrip, "ingest"),
        Read(ActionTrack, "ingest"),
        Read(Finding, "ingest"),
        Read(Alignment, "align"),
        Read(Finding, "align"),
    ),
    writes=(Outline,),
    recipe_slice=lambda _recipe: OutlineSlice(),
    run=run,
)
