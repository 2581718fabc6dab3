"""Stage ``cluster``: the corpus's clusters in both spaces, fitted once and then frozen.

Every embedding model is fitted by itself and its clusters have ids of their own, so a pose is never compared with a
joint angle. The stage is given back what it decided last (`Stage.keeps`): new data goes to the clusters there are, and
they are fitted again only when too much of it lies where the fit saw nothing, when the corpus has outgrown it, or when
the recipe says so. A cluster that is still the same one keeps its id (`clustering.cluster_ids`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from clustering.census import Count, Make, take_census
from clustering.corpus_sample import Sample
from clustering.counter_hash import Keys
from clustering.fit import ALGORITHM, Reason, fit_model
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.cluster import ClusterDrift, ClusterModel, Embedding, FitCause, FittedEvents, Space
from schemas.event import Level
from schemas.identity import digest
from schemas.recipe import ClusterSpec, Recipe
from schemas.recipe_section import Section, section_digest

MIN_BEYOND = 5
"""Fewer far-out events are chance, whatever share of a handful of new ones they are."""
_NOT_THE_FITS = ("refit", "drift_share", "growth")


class ClusterSlice(Section):
    """What of the recipe clusters depend on."""

    cluster: ClusterSpec
    level: Level
    anew: bool = Field(default=False, exclude=True)
    """Whether to fit again come what may. No part of the key: a run without it goes on with what one with it made."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """All there is to know about the corpus's clusters."""

    models: tuple[ClusterModel, ...] = ()
    """Sorted by space and embedding model; those of embedding models no event has any more are kept."""
    fitted: tuple[FittedEvents, ...] = ()
    drift: tuple[ClusterDrift, ...] = ()


def continued(batches: Iterable[list[Embedding]], spec: ClusterSlice, before: Clusters | None = None) -> Clusters:
    """The clusters of a corpus, given those there were before it grew."""
    before = before or Clusters()
    models: dict[Make, ClusterModel] = {(model.space, model.embedding_model): model for model in before.models}
    known: dict[str, Keys] = {fitted.model_id: fitted.events.astype(np.uint64) for fitted in before.fitted}
    drift = []
    for sample, count in take_census(batches, spec.cluster.sample, models, known):
        make = (sample.space, sample.model)
        was = models.get(make)
        cause = refit_cause(was, sample, count, spec)
        if cause is not None:
            share = count.n_beyond / count.n_new if was is not None and count.n_new else 0.0
            reason = Reason(cause, fitted_under(spec), _first_free(models.values(), sample.space), was, share)
            models[make] = fit_model(sample, spec.cluster, reason)
            known[models[make].model_id] = count.events
        model_id, refitted = models[make].model_id, was is not None and models[make] is not was
        n_new = count.n_new if was is not None else 0
        drift.append(ClusterDrift(*make, model_id, sample.n_events, n_new, count.n_beyond, refitted))
    ordered = tuple(models[make] for make in sorted(models))
    fitted = tuple(FittedEvents(model.model_id, known[model.model_id]) for model in ordered)
    return Clusters(ordered, fitted, tuple(drift))


def fit_corpus(
    batches: Iterable[list[Embedding]], spec: ClusterSpec, level: Level = Level.ACTION
) -> list[ClusterModel]:
    """The models of a corpus without a history, one per space and embedding model, in that order."""
    return list(continued(batches, ClusterSlice(cluster=spec, level=level)).models)


def refit_cause(model: ClusterModel | None, sample: Sample, count: Count, spec: ClusterSlice) -> FitCause | None:
    """Why the clusters of one embedding model must be fitted now; None when they stay as they are."""
    if model is None:
        return FitCause.FIRST
    if spec.anew:
        return FitCause.REQUEST
    if spec.cluster.refit == "never":
        return None
    if model.fitted_under != fitted_under(spec):
        return FitCause.RECIPE
    if count.n_beyond >= MIN_BEYOND and count.n_beyond > spec.cluster.drift_share * count.n_new:
        return FitCause.DRIFT
    return FitCause.GROWTH if sample.n_events >= spec.cluster.growth * model.n_events else None


def fitted_under(spec: ClusterSlice) -> str:
    """Digest of what a fit depends on besides the events."""
    return digest(section_digest(_as_default(spec.cluster, _NOT_THE_FITS)), str(spec.level), str(ALGORITHM))


def _first_free(models: Iterable[ClusterModel], space: Space) -> int:
    return max((model.next_cluster for model in models if model.space is space), default=0)


def run(bundle: Bundle, spec: ClusterSlice) -> Iterable[object]:
    """All models of the corpus; none for a corpus without events."""
    before = Clusters(tuple(bundle.all(ClusterModel)), tuple(bundle.all(FittedEvents)))
    now = continued(bundle.stream(Embedding), spec, before)
    return [*now.models, *now.fitted, *now.drift]


def _as_default(spec: ClusterSpec, keys: Sequence[str]) -> ClusterSpec:
    return spec.model_copy(update={key: ClusterSpec.model_fields[key].default for key in keys})


def _slice(recipe: Recipe) -> ClusterSlice:
    anew = recipe.cluster.refit == "always"
    spec = _as_default(recipe.cluster, ["refit"] if anew else [])
    return ClusterSlice(cluster=spec, level=recipe.balance.level, anew=anew)


STAGE = Stage(
    name="cluster",
    version=2,
    scope=Scope.CORPUS,
    reads=(Read(Embedding, "embed"),),
    writes=(ClusterModel, FittedEvents, ClusterDrift),
    recipe_slice=_slice,
    run=run,
    content_keyed=True,
    keeps=(ClusterModel, FittedEvents),
    anew=lambda spec: spec.anew,
    notes=(FittedEvents, ClusterDrift),
)
