"""Stage ``embed``: every event of the balanced level as vectors, each by itself (clustering.md, Embeddings).

Vision-language: the caption's vector ⊕ the pictures at the event's start, middle and end, each part of unit length;
pictures are the filmstrip's thumbnails, averaged over the views. Action: how the arms move, for events that have
action rows. Episodes share the encoder's batches and nothing else: an event's vectors are the same whatever it is
encoded with. Weighting, centring and projection are the cluster stage's.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from clustering.action_embedding import action_embeddings
from clustering.checkpoint import architecture_of, weights_of
from clustering.device import placed
from clustering.encoders import Encoder, encoder_of
from pipeline.aligned import aligned_actions
from pipeline.pseudo.scale import calibration_for
from pipeline.stage import Bundle, Question, Read, Scope, Stage
from schemas.calibration import Calibration
from schemas.cluster import Embedding, Space
from schemas.episode import ActionKind, ActionTrack, Alignment, Episode
from schemas.event import Event, Level
from schemas.filmstrip import Thumbnail
from schemas.recipe import DefaultEncoder, EmbedSpec, OpenClipEncoder, Recipe
from schemas.recipe_section import Section
from schemas.time import Span
from schemas.tree import samples

Vector = NDArray[np.float64]

N_MOMENTS = 3
"""Start, middle and end of an event."""


class EmbedSlice(Section):
    """What of the recipe embeddings depend on. A checkpoint counts by content (`revision`), not by path."""

    embed: EmbedSpec
    """With device and batch settled, for both change the last bits; without the checkpoint's place."""
    level: Level
    encoder: DefaultEncoder | OpenClipEncoder = Field(exclude=True)
    """The same encoder with the checkpoint's place."""


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
    encoder = encoder_of(spec.vision_language)
    asked = question(
        encoder,
        episode,
        samples(events, level),
        actions=aligned_actions(actions, alignment),
        calibration=calibration,
        thumbnails=thumbnails,
        spec=spec,
    )
    return list(asked.finish(answers(encoder, asked.inputs)))


def question(
    encoder: Encoder,
    episode: Episode,
    events: Sequence[Event],
    *,
    actions: ActionTrack | None,
    calibration: Calibration | None,
    thumbnails: Sequence[Thumbnail],
    spec: EmbedSpec,
) -> Question[Embedding]:
    """What an encoder must see of an episode's events, given in time order, to embed them in both spaces."""
    if not events:
        return Question((), lambda _vectors: [])
    looks = Looks(episode, events, thumbnails, encoder)
    moved: list[Embedding] = []
    if actions is not None and not (actions.kind is ActionKind.PSEUDO and spec.pseudo_actions == "ignore"):
        scales = None if calibration is None else calibration_for(actions, calibration)
        moved = action_embeddings(actions, episode.embodiment, list(events), scales, spec)
    return Question(looks.inputs, lambda vectors: [*looks.embeddings(encoder, vectors), *moved])


class Looks:
    """What an encoder must see of an episode's events, at least one: every thumbnail and every caption once."""

    def __init__(
        self, episode: Episode, events: Sequence[Event], thumbnails: Sequence[Thumbnail], encoder: Encoder
    ) -> None:
        """Raises SourceError for a thumbnail that is no picture. Keeps none but those that are needed."""
        views = [
            sorted((t for t in thumbnails if t.camera == camera.name), key=lambda t: t.t_ns)
            for camera in episode.cameras
        ]
        shown = [[moments(event.span, view) for view in views if view] for event in events]
        needed = {(t.camera, t.frame): t for of_event in shown for of_view in of_event for t in of_view}
        row_of = {name: row for row, name in enumerate(sorted(needed))}
        self._events = events
        self._rows = [[[row_of[t.camera, t.frame] for t in of_view] for of_view in of_event] for of_event in shown]
        self._pictures = [encoder.prepared(needed[name].jpeg) for name in sorted(needed)]

    @property
    def inputs(self) -> list[Any]:
        """The pictures, then the events whose captions are to be read."""
        return [*self._pictures, *self._events]

    def embeddings(self, encoder: Encoder, vectors: Sequence[Vector]) -> list[Embedding]:
        """One embedding per event, given a vector for every input."""
        pictures, texts = vectors[: len(self._pictures)], vectors[len(self._pictures) :]
        found = []
        for event, of_event, text in zip(self._events, self._rows, texts, strict=True):
            seen = np.zeros((N_MOMENTS, encoder.dims))
            if of_event:
                seen = np.mean([[pictures[row] for row in of_view] for of_view in of_event], axis=0)
            vector = np.concatenate([unit(text), unit(seen.reshape(-1))]).astype(np.float32)
            found.append(Embedding(event.event_id, event.episode_id, Space.VISION_LANGUAGE, encoder.model, vector))
        return found


def answers(encoder: Encoder, inputs: Sequence[Any]) -> list[Vector]:
    """A vector for every input, whosever it is: events by their captions, all else as pictures."""
    is_text = [isinstance(item, Event) for item in inputs]
    pictures = iter(encoder.pictures([item for item, text in zip(inputs, is_text, strict=True) if not text]))
    events = [item for item, text in zip(inputs, is_text, strict=True) if text]
    texts = iter(encoder.texts(events) if events else ())
    return [next(texts if text else pictures) for text in is_text]


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


class EmbedModel:
    """The encoder as the worker knows it: several episodes' pictures and captions fill its batches together."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.n_at_once = encoder.n_at_once

    def question(self, bundle: Bundle, spec: EmbedSlice) -> Question[Embedding]:
        return question(
            self._encoder,
            bundle.one(Episode),
            samples(bundle.all(Event), spec.level),
            actions=aligned_actions(bundle.optional(ActionTrack), bundle.one(Alignment)),
            calibration=bundle.optional(Calibration),
            thumbnails=bundle.all(Thumbnail),
            spec=spec.embed,
        )

    def answers(self, inputs: Sequence[Any]) -> list[Vector]:
        return answers(self._encoder, inputs)


def model_of(spec: EmbedSlice) -> EmbedModel:
    """The encoder of a recipe; loaded once per process."""
    return EmbedModel(encoder_of(spec.encoder))


def run(bundle: Bundle, spec: EmbedSlice) -> Iterable[object]:
    """The embeddings of one episode; none for an episode without events."""
    model = model_of(spec)
    asked = model.question(bundle, spec)
    return asked.finish(model.answers(asked.inputs))


def check(spec: EmbedSlice) -> None:
    """Raises JoineryError for an architecture or checkpoint that is not there, or does not fit the other."""
    if isinstance(spec.encoder, OpenClipEncoder):
        architecture_of(spec.encoder)
        from clustering import open_clip_encoder  # noqa: PLC0415 - torch and open_clip cost seconds and 300 MB

        open_clip_encoder.check(spec.encoder)


def _slice(recipe: Recipe) -> EmbedSlice:
    encoder = named = recipe.embed.vision_language
    if isinstance(encoder, OpenClipEncoder):
        encoder = placed(encoder)
        named = encoder.model_copy(update={"checkpoint": None, "sha256": None})
    embed_spec = recipe.embed.model_copy(update={"vision_language": named})
    return EmbedSlice(embed=embed_spec, level=recipe.balance.level, encoder=encoder)


def _revision(spec: EmbedSlice) -> str:
    return "|".join(filter(None, (weights_of(spec.encoder), architecture_of(spec.encoder))))


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
    revision=_revision,
    model=model_of,
    holds_model=lambda spec: isinstance(spec.encoder, OpenClipEncoder),
    on_gpu=lambda spec: isinstance(spec.encoder, OpenClipEncoder) and spec.encoder.device == "cuda",
    check=check,
)
