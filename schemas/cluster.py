"""Embeddings, fitted clusters and assignments (clustering.md).

Two spaces: vision-language (what it looks like and is called) and action (how the arms move). Fitting needs
the corpus, so it is one record; assigning needs one event and the fitted record, so it scales out.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from schemas.array import ArraySpec, Floats, Ints


class Space(StrEnum):
    """The two spaces events are compared in."""

    VISION_LANGUAGE = "vision_language"
    ACTION = "action"


NULL_CLUSTER = -1
"""The action cluster of events without actions; balance then acts on vision-language alone."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """One event in one space, before any corpus-level projection."""

    event_id: str
    episode_id: str
    space: Space
    model: str
    """Name and revision of what made it, e.g. ``joinery-words-v1:512`` or ``open_clip:ViT-B-32:<sha256>``; vectors of
    one model have one length and one meaning (`clustering.families`)."""
    vector: Annotated[Floats, ArraySpec("float32", "D")]


class FitCause(StrEnum):
    """Why a model was fitted."""

    FIRST = "first"
    DRIFT = "drift"
    GROWTH = "growth"
    RECIPE = "recipe"
    """The recipe, or the algorithm, is another one."""
    REQUEST = "request"


@dataclass(frozen=True, eq=False)
class ClusterModel:
    """Projection and centroids of one space, fitted on a corpus and then frozen until it is refitted."""

    model_id: str
    version: int
    """1 for the first fit of this embedding model, one more for each refit."""
    parent: str
    """The model this one took the place of; empty for a first fit."""
    cause: FitCause
    drift: float
    """Share of the new events beyond `distance_p99` of the parent when this was fitted; 0 for a first fit."""
    fitted_under: str
    """Digest of what of the recipe and of the algorithm the fit depends on."""
    space: Space
    embedding_model: str
    mean: Annotated[Floats, ArraySpec("float32", "D")]
    scale: Annotated[Floats, ArraySpec("float32", "D")]
    """Per input dimension, applied after the mean (IDF weights, feature weights)."""
    projection: Annotated[Floats, ArraySpec("float32", "P_x_D")]
    """Row-major [P·D]; rows whiten."""
    n_projected: int
    centroids: Annotated[Floats, ArraySpec("float32", "K_x_P")]
    """Row-major [K·P], unit length."""
    n_clusters: int
    cluster_ids: Annotated[Ints, ArraySpec("int64", "K")]
    """Id of each centroid. No two clusters of a space ever share one, of whatever model and version."""
    next_cluster: int
    """The lowest id of the space that had never been used when this was fitted."""
    distance_p99: float
    """Of the fitting sample to its nearest centroid; new events beyond it are drift."""
    reference: Annotated[Floats, ArraySpec("float32", "R_x_P")]
    """Row-major [R·P], unit points of the fitting sample: what is near an event."""
    neighbour_p99: float
    """Of the fitting sample's distances to its k-th nearest reference point; beyond it an event is in the tail."""
    seed_ari: float
    """Mean pairwise adjusted Rand index between fits of different seeds; NaN is stored as -1."""
    smallest_cluster: int
    n_fitted: int
    n_events: int
    """How many there were of this embedding model; `n_fitted` of them were the sample."""


@dataclass(frozen=True, eq=False)
class FittedEvents:
    """Which events a model was fitted on or chosen from; others are new to it."""

    model_id: str
    events: Annotated[Ints, ArraySpec("uint64", "E")]
    """Hashes of id and vector, sorted."""


@dataclass(frozen=True)
class ClusterDrift:
    """How far the corpus has moved away from a frozen model, measured whenever the corpus changed."""

    space: Space
    embedding_model: str
    model_id: str
    """The model in use from here on."""
    n_events: int
    n_new: int
    """Events the model before knew nothing of, and how many of them lie beyond its 99th percentile."""
    n_beyond: int
    refitted: bool


@dataclass(frozen=True)
class Assignment:
    """Which cell an event belongs to, and how far it lies from the middle of it."""

    event_id: str
    episode_id: str
    source: str
    dataset: str
    level: str
    vision_language: int
    action: int
    """`NULL_CLUSTER` without actions."""
    vision_language_distance: float
    action_distance: float
    tail: bool
    recovery: bool
    """The event recovers from a failure or is one, or its source is there to record such."""
    n_frames: int
    start_s: float
    """On the episode's clock."""
    duration_s: float


class Split(StrEnum):
    """The sides an episode can be on."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True)
class Membership:
    """An assigned event's place in the corpus: its side, its copies, and what balance needs to know about it."""

    event_id: str
    episode_id: str
    source: str
    dataset: str
    level: str
    vision_language: int
    action: int
    """`NULL_CLUSTER` without actions."""
    tail: bool
    recovery: bool
    split: Split
    """By episode, together with all episodes that hold copies of its events."""
    duplicate_group: str
    """Id of the group of near duplicates; empty when the event has none."""
    duplicate_of: str
    """The event kept in its place, when it is left out; else empty."""
    n_frames: int
    duration_s: float
    withheld: str = ""
    """The licence for which it is left out, because `shard.allow` does not let it through; else empty."""

    @property
    def kept(self) -> bool:
        """Whether it is counted and drawn."""
        return not (self.duplicate_of or self.withheld)
