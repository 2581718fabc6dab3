"""Stage ``assign``: the cell of every event, and whether it lies in the tail.

Needs one event and the frozen models, so it scales out and appending data re-runs only what is new.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from clustering.place import place
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.cluster import NULL_CLUSTER, Assignment, ClusterModel, Embedding, Space
from schemas.episode import Episode
from schemas.event import Event, RecoveryKind
from schemas.recipe_section import Section
from schemas.source import SourceKind
from schemas.time import NS_PER_S


class AssignSlice(Section):
    """Nothing: the models say where everything lies."""


def assign(
    episode: Episode,
    events: Sequence[Event],
    embeddings: Sequence[Embedding],
    models: Sequence[ClusterModel],
) -> list[Assignment]:
    """One assignment per event with a vision-language embedding, in time order.

    Raises ValueError for an embedding whose model was never fitted.
    """
    fitted = {(model.space, model.embedding_model): model for model in models}
    places = {space: _places([item for item in embeddings if item.space is space], fitted) for space in Space}
    found = []
    for event in sorted(events, key=lambda event: event.span):
        if event.event_id not in places[Space.VISION_LANGUAGE]:
            continue
        vision_language, v_distance, v_far = places[Space.VISION_LANGUAGE][event.event_id]
        action, a_distance, a_far = places[Space.ACTION].get(event.event_id, (NULL_CLUSTER, 0.0, False))
        found.append(
            Assignment(
                event_id=event.event_id,
                episode_id=event.episode_id,
                source=episode.source,
                dataset=episode.dataset,
                level=str(event.level),
                vision_language=vision_language,
                action=action,
                vision_language_distance=v_distance,
                action_distance=a_distance,
                tail=v_far or a_far or event.recovery is not RecoveryKind.NONE,
                recovery=event.recovery is not RecoveryKind.NONE or episode.kind is SourceKind.RECOVERY,
                n_frames=event.span.n_frames,
                start_s=event.span.start_ns / NS_PER_S,
                duration_s=event.span.duration_s,
            )
        )
    return found


def _places(
    embeddings: Sequence[Embedding], fitted: Mapping[tuple[Space, str], ClusterModel]
) -> dict[str, tuple[int, float, bool]]:
    by_model: dict[tuple[Space, str], list[Embedding]] = {}
    for item in embeddings:
        by_model.setdefault((item.space, item.model), []).append(item)
    found: dict[str, tuple[int, float, bool]] = {}
    for key, items in by_model.items():
        if key not in fitted:
            raise ValueError(
                f"{key[1]}: no clusters were fitted for it, found {[name for _, name in fitted]}; run cluster"
            )
        placed = place(fitted[key], np.stack([item.vector for item in items]).astype(np.float32))
        columns = (placed.cluster.tolist(), placed.distance.tolist(), placed.tail.tolist())
        found.update(zip((item.event_id for item in items), zip(*columns, strict=True), strict=True))
    return found


def run(bundle: Bundle, _spec: AssignSlice) -> Iterable[object]:
    """The assignments of one episode; none for an episode without events."""
    episode, events = bundle.one(Episode), bundle.all(Event)
    return assign(episode, events, bundle.all(Embedding), bundle.all(ClusterModel))


STAGE = Stage(
    name="assign",
    version=2,
    scope=Scope.EPISODE,
    reads=(
        Read(Embedding, "embed"),
        Read(ClusterModel, "cluster"),
        Read(Event, "caption"),
        Read(Episode, "ingest"),
    ),
    writes=(Assignment,),
    # An event whose clip cannot be cut must not be scheduled: then a broken video costs its episode, not whole shards.
    after=("cut",),
    recipe_slice=lambda _recipe: AssignSlice(),
    run=run,
)
