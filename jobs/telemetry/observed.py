"""A run that can be seen: its watchers, put together as the recipe asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from jobs.progress import Reporter
from jobs.telemetry.beacon import Beacon
from jobs.telemetry.lines import lines_of
from jobs.telemetry.metrics import Metrics, MetricsServer
from jobs.telemetry.run_log import RunLog
from jobs.telemetry.watcher import Watcher, Watchers
from pipeline.blobs import Blobs, in_a_hurry
from pipeline.store import Workspace
from schemas.recipe import LogLevel, Recipe
from schemas.recipe_places import SECRET_KEYS
from schemas.run import Run


@contextmanager
def observed(workspace: Workspace, recipe: Recipe, run: Run, reporter: Reporter) -> Iterator[Watchers]:
    """Everything a run is followed by. Raises JoineryError when metrics cannot be served where the recipe says."""
    spec, watchers = recipe.run, list[Watcher]()
    blobs = Blobs(workspace.url, in_a_hurry(workspace.storage))  # nobody's work may wait for what only tells of it
    with ExitStack() as open_here:
        log = None
        if spec.log_level is not LogLevel.OFF:
            secrets = [recipe.workspace.storage.get(key, "") for key in SECRET_KEYS]
            log = RunLog(lines_of(blobs, run.run_id), spec.log_level, secrets)
            open_here.callback(log.close)
            watchers.append(log)
        if spec.metrics_port is not None:
            metrics = Metrics()
            open_here.callback(MetricsServer(metrics, spec.metrics_port, spec.metrics_address).close)
            watchers.append(metrics)
        watchers.append(Beacon(blobs, log.flush if log else lambda: None))
        watching = Watchers(reporter, watchers)
        watching.began(run)
        yield watching
