"""What is left to do, in hours, bytes and tokens: what ``joinery plan`` prints, and what a run is later held against.

Items of an episode stage are taken at the mean of their own source, as far as it is known there: an hour of a stream
is not a minute at a bench. Stages of the whole corpus count as they did the last time. Without a measurement a byte of
source counts as it did in the demo (`jobs.rates`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil

from jobs.estimate import model_estimate
from jobs.expenses import amounts_of, price
from jobs.rates import Amounts, Measured, measured, shipped, sum_of
from jobs.river import RIVER
from pipeline import ingest
from pipeline.ledger import Ledger
from pipeline.sql import in_memory
from pipeline.stage import Scope, Stage
from pipeline.store import Workspace
from schemas.cost import StageEstimate
from schemas.recipe import ExecutorName, Recipe
from schemas.run import WorkDone
from schemas.source import EpisodeRef

WIDE = frozenset(stage.name for stage in RIVER if stage.scope in (Scope.GROUP, Scope.CORPUS))


@dataclass(frozen=True)
class Forecast:
    """What a whole run is expected to take."""

    stages: tuple[StageEstimate, ...]
    workers: int | None
    """Batches at a time; None where the recipe joins a cluster whose size only the run will know."""
    price: float | None
    """None without prices."""

    @property
    def total(self) -> Amounts:
        return sum_of(amounts_of(stage) for stage in self.stages)


@dataclass(frozen=True)
class SourceSize:
    """What a source lists."""

    episodes: int
    n_bytes: int
    """Of its files, each once, however many episodes it holds."""


def source_sizes(workspace: Workspace, version: int | None = None) -> dict[str, SourceSize]:
    """Sizes by source, of the listing at a version or the newest."""
    with in_memory() as sql:
        sql.register("listing", workspace.scan(EpisodeRef, columns=["source", "root", "files"], version=version))
        sql.execute("CREATE TABLE refs AS SELECT * FROM listing")
        rows = sql.execute(
            """WITH files AS (SELECT DISTINCT source, root, file.path, file.n_bytes
                              FROM (SELECT source, root, unnest(files) AS file FROM refs)),
               sizes AS (SELECT source, sum(n_bytes)::BIGINT AS n_bytes FROM files GROUP BY source)
               SELECT source, count(*), any_value(coalesce(n_bytes, 0)) FROM refs LEFT JOIN sizes USING (source)
               GROUP BY source"""
        ).fetchall()
    return {source: SourceSize(episodes, n_bytes or 0) for source, episodes, n_bytes in rows}


def forecast(workspace: Workspace, ledger: Ledger, recipe: Recipe) -> Forecast:
    """The forecast of a run that would begin now. The ledger is up to date."""
    stages, run = Forecaster(workspace, ledger, recipe).whole(), recipe.run
    workers = run.workers or (os.cpu_count() if run.ray_address is None else None)
    if run.executor is ExecutorName.INLINE:
        workers = 1
    prices = [price(amounts_of(stage), stage.stage, run.prices) for stage in stages]
    return Forecast(stages, workers, None if run.prices is None else sum(one or 0.0 for one in prices))


def to_do(ledger: Ledger, name: str, *, retry_quarantined: bool = False, waiting: bool = False) -> dict[str, int]:
    """Episodes that an episode stage has left, by source; with those that are ``waiting`` for an earlier stage."""
    names = [stage.name for stage in RIVER if stage.scope is Scope.EPISODE]
    keyed = "" if waiting else "AND k.item IS NOT NULL"
    fine = "" if retry_quarantined else "AND k.work_key NOT IN (SELECT work_key FROM quarantine)"
    stopped = "".join(
        f" AND r.item NOT IN (SELECT item FROM key_{other} e JOIN quarantine USING (work_key) WHERE e.attempt IS NULL)"  # noqa: S608 - own words
        for other in (names[: names.index(name)] if waiting else ())
    )
    rows = ledger.rows(
        f"""SELECT r.source, count(*) FROM refs r LEFT JOIN key_{name} k USING (item)
            WHERE k.attempt IS NULL {keyed} AND (k.item IS NULL OR (true {fine})) {stopped} GROUP BY r.source"""  # noqa: S608 - own words
    )
    return {source: int(count) for source, count in rows}


def mean_seconds(workspace: Workspace, since: str) -> dict[tuple[str, str], tuple[int, float]]:
    """(stage, source) → results and their mean seconds, of episodes listed now, in runs from ``since`` on."""
    with in_memory() as sql:
        sql.register("listing", workspace.scan(EpisodeRef, columns=["episode_id", "source"]))
        columns = ["stage", "item", "seconds"]
        sql.register("worked", workspace.scan(WorkDone, columns=columns, where=f"run_id >= '{since}'"))
        rows = sql.execute(
            """WITH refs AS (SELECT episode_id AS item, min(source) AS source FROM listing GROUP BY ALL)
               SELECT stage, source, count(*), avg(seconds) FROM worked JOIN refs USING (item) GROUP BY stage, source"""
        ).fetchall()
    return {(stage, source): (count, mean) for stage, source, count, mean in rows}


class Forecaster:
    """Says what stages will take, from what is known when it is made."""

    def __init__(self, workspace: Workspace, ledger: Ledger, recipe: Recipe) -> None:
        """The ledger is kept up to date by whoever made it."""
        self._workspace, self._ledger, self._recipe = workspace, ledger, recipe

    def about_to_begin(self, run_id: str, stage: Stage, retry_quarantined: bool) -> list[StageEstimate]:
        """The estimate of a stage whose upstream is done, nothing where it has nothing to do."""
        state = self._ledger.state(stage.name)
        left = state.left + (state.quarantined if retry_quarantined else 0)
        if not left:
            return []
        by_source = None
        if stage.scope is Scope.EPISODE:
            by_source = to_do(self._ledger, stage.name, retry_quarantined=retry_quarantined)
        return [self._estimate(run_id, stage, left, by_source)]

    def whole(self) -> tuple[StageEstimate, ...]:
        """Every stage with something to do, upper bounds as those of the plan. The ledger is up to date."""
        found = []
        moved = False
        for stage in RIVER:
            by_source = to_do(self._ledger, stage.name, waiting=True) if stage.scope is Scope.EPISODE else None
            left = sum(by_source.values()) if by_source is not None else self._wide_left(stage, moved)
            moved = moved or left > 0
            if left:
                found.append(self._estimate("", stage, left, by_source))
        return tuple(found)

    def _wide_left(self, stage: Stage, moved: bool) -> int:
        """Items of a stage that is no episode's: those there are, or when its inputs will change, those to expect."""
        state = self._ledger.state(stage.name)
        if not moved or state.left:
            return state.left
        if stage.scope is not Scope.SHARD:
            return max(1, state.total)
        before = self._ledger.state(ingest.STAGE.name).done
        listed = sum(size.episodes for size in self._sizes.values())
        return max(1, ceil(state.total * (listed / before if before else 1.0)) - state.done)

    def _estimate(self, run_id: str, stage: Stage, items: int, by_source: Mapping[str, int] | None) -> StageEstimate:
        rate, basis = self._measured.per_item.get(stage.name), "workspace"
        if rate is not None:
            amounts = rate.times(items if by_source is None else self._weighted(stage.name, by_source))
        else:
            amounts, basis = self._shipped.get(stage.name, Amounts()).times(self._bytes(by_source)), "shipped"
        if basis == "shipped" and (asked := self._model_tokens(stage)) is not None:
            prompt, completion = asked
        else:
            prompt, completion = round(amounts.prompt_tokens), round(amounts.completion_tokens)
        return StageEstimate(
            run_id=run_id,
            stage=stage.name,
            items=items,
            seconds=round(amounts.seconds, 3),
            cpu_s=round(amounts.cpu_s, 3),
            gpu_s=round(amounts.gpu_s, 3),
            source_bytes=round(amounts.source_bytes),
            stored_bytes=round(amounts.stored_bytes),
            prompt_tokens=prompt,
            completion_tokens=completion,
            basis=basis,
        )

    def _weighted(self, stage: str, by_source: Mapping[str, int]) -> float:
        """So many mean items the episodes of these sources are worth: a source's mean over the mean of all."""
        known = {source: seen for (name, source), seen in self._seconds.items() if name == stage}
        n_known = sum(count for count, _ in known.values())
        mean = sum(count * seconds for count, seconds in known.values()) / n_known if n_known else 0.0
        if mean <= 0:
            return float(sum(by_source.values()))
        return sum(n * (known[source][1] / mean if source in known else 1.0) for source, n in by_source.items())

    def _bytes(self, by_source: Mapping[str, int] | None) -> float:
        """Bytes of so many episodes of each source; of all there are for a stage of the whole corpus."""
        if by_source is None:
            return float(sum(size.n_bytes for size in self._sizes.values()))
        sizes = {source: size.n_bytes / size.episodes for source, size in self._sizes.items()}
        return sum(n * sizes.get(source, 0.0) for source, n in by_source.items())

    def _model_tokens(self, stage: Stage) -> tuple[int, int] | None:
        if stage.asks(stage.recipe_slice(self._recipe)) is None:
            return None
        asked = model_estimate(self._ledger, self._recipe)
        return (asked.prompt_tokens, asked.completion_tokens) if asked else None

    @cached_property
    def _measured(self) -> Measured:
        return measured(self._workspace, WIDE)

    @cached_property
    def _seconds(self) -> dict[tuple[str, str], tuple[int, float]]:
        return mean_seconds(self._workspace, self._measured.since)

    @cached_property
    def _sizes(self) -> dict[str, SourceSize]:
        return source_sizes(self._workspace)

    @cached_property
    def _shipped(self) -> dict[str, Amounts]:
        return shipped()
