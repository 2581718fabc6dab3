"""Stage ``embed``: every event of the balanced level as vectors, one event at a time (clustering.md, Embeddings).

Vision-language: the caption's vector ⊕ the pictures at the event's start, middle and end, each part of unit length;
pictures are the filmstrip's thumbnails, averaged over the views. Action: how the arms move, for events that have
action rows. Nothing here looks at other episodes; weighting, centring and projection are the cluster stage's.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from clustering.action_embedding import action_embeddings
from clustering.checkpoint import weights_of
from clustering.encoders import Encoder, encoder_of
from pipeline.aligned import aligned_actions
from pipeline.pseudo.scale import calibration_for
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.calibration import Calibration
from schemas.cluster import Embedding, Space
from schemas.episode import ActionKind, ActionTrack, Alignment, Episode
from schemas.event import Event, Level
from schemas.filmstrip import Thumbnail
from schemas.recipe import EmbedSpec, OpenClipEncoder, Recipe
from schemas.recipe_section import Section
from schemas.time import Span

Vector = NDArray[np.float64]

N_MOMENTS = 3
"""Start, middle and end of an event."""


class EmbedSlice(Section):
    """What of the recipe embeddings depend on. A checkpoint counts by content (`revision`), not by path."""

    embed: EmbedSpec
    level: Level
    checkpoint: str | None = Field(default=None, exclude=True)

    def with_checkpoint(self) -> EmbedSpec:
        """The embed section as the recipe has it."""
        encoder = self.embed.vision_language
        return self.embed.model_copy(update={"vision_language": encoder.model_copy(update=self._path())})

    def _path(self) -> dict[str, str]:
        return {} if self.checkpoint is None else {"checkpoint": self.checkpoint}


def embed(
    episode: Episode,
    events: Sequence[Event],
    *,
    actions: ActionTrack | None,
    alignment: Alignment,
    calibration: Calibration | None,
    thumbnails: Sequence[Thumbnail],
    spec: EmbedSpec,
    level: Level,
) -> list[Embedding]:
    """Embeddings of the events of ``level``, in time order: all vision-language ones, then the action ones.

    ``calibration`` is that of the episode's dataset and embodiment; without it openings count as unknown.
    Raises SourceError for a thumbnail that is no picture, JoineryError for an encoder that cannot be made.
    """
    chosen = sorted((event for event in events if event.level is level), key=lambda event: event.span)
    if not chosen:
        return []
    found = vision_language_embeddings(episode, chosen, thumbnails, encoder_of(spec.vision_language))
    track = aligned_actions(actions, alignment)
    if track is not None and not (track.kind is ActionKind.PSEUDO and spec.pseudo_actions == "ignore"):
        scales = None if calibration is None else calibration_for(track, calibration)
        found += action_embeddings(track, episode.embodiment, chosen, scales, spec)
    return found


def vision_language_embeddings(
    episode: Episode, events: Sequence[Event], thumbnails: Sequence[Thumbnail], encoder: Encoder
) -> list[Embedding]:
    """One embedding per event, for at least one event; every thumbnail that is needed is encoded once."""
    views = [
        sorted((t for t in thumbnails if t.camera == camera.name), key=lambda t: t.t_ns) for camera in episode.cameras
    ]
    shown = [[moments(event.span, view) for view in views if view] for event in events]
    needed = {(t.camera, t.frame): t for of_event in shown for of_view in of_event for t in of_view}
    names = sorted(needed)
    pictures = encoder.pictures([needed[name].jpeg for name in names])
    row_of = {name: row for row, name in enumerate(names)}
    texts = encoder.texts(events)
    found = []
    for event, of_event, text in zip(events, shown, texts, strict=True):
        seen = np.zeros((N_MOMENTS, pictures.shape[1]))
        if of_event:
            seen = np.mean([pictures[[row_of[t.camera, t.frame] for t in of_view]] for of_view in of_event], axis=0)
        vector = np.concatenate([unit(text), unit(seen.reshape(-1))]).astype(np.float32)
        found.append(Embedding(event.event_id, event.episode_id, Space.VISION_LANGUAGE, encoder.model, vector))
    return found


def moments(span: Span, view: Sequence[Thumbnail]) -> list[Thumbnail]:
    """The thumbnails of one view (at least one, in time order) nearest to an event's start, middle and end.

    Those shown during the event come first; an event between two thumbnails takes the nearest ones outside.
    """
    inside = [t for t in view if span.start_ns <= t.t_ns < span.end_ns] or view
    wanted = (span.start_ns, (span.start_ns + span.end_ns) // 2, span.end_ns)
    return [min(inside, key=lambda t: (abs(t.t_ns - t_ns), t.t_ns)) for t_ns in wanted]


def unit(vector: Vector) -> Vector:
    """The vector at length 1; zeros stay zeros."""
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector


def run(bundle: Bundle, spec: EmbedSlice) -> Iterable[object]:
    """The embeddings of one episode; none for an episode without events."""
    return embed(
        bundle.one(Episode),
        bundle.all(Event),
        actions=bundle.optional(ActionTrack),
        alignment=bundle.one(Alignment),
        calibration=bundle.optional(Calibration),
        thumbnails=bundle.all(Thumbnail),
        spec=spec.with_checkpoint(),
        level=spec.level,
    )


def _slice(recipe: Recipe) -> EmbedSlice:
    encoder = recipe.embed.vision_language
    if not isinstance(encoder, OpenClipEncoder):
        return EmbedSlice(embed=recipe.embed, level=recipe.balance.level)
    unplaced = recipe.embed.model_copy(update={"vision_language": encoder.model_copy(update={"checkpoint": None})})
    return EmbedSlice(embed=unplaced, level=recipe.balance.level, checkpoint=encoder.checkpoint)


STAGE = Stage(
    name="embed",
    version=2,
    scope=Scope.EPISODE,
    reads=(
        Read(Event, "caption"),
        Read(Episode, "ingest"),
        Read(ActionTrack, "ingest"),
        Read(Thumbnail, "ingest"),
        Read(Alignment, "align"),
        Read(Calibration, "calibrate"),
    ),
    writes=(Embedding,),
    recipe_slice=_slice,
    run=run,
    revision=lambda spec: weights_of(spec.with_checkpoint().vision_language),
)
