"""Metrics of a run for Prometheus, served by the coordinator while it works.

Only the coordinator serves them: it sees every batch of every machine, and one target is easier to find than workers
that come and go. What Ray says about its machines (memory, object store, GPUs) Ray serves itself (docs/monitor.md).
Counters start at 0 with each run, as Prometheus expects of a process that was started anew. No label holds anything
there may be thousands of, such as an episode's id.
"""

from __future__ import annotations

import time
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server

from jobs.progress import StageProgress
from pipeline.attempt import Attempt
from pipeline.errors import JoineryError
from schemas.run import Run

BATCH_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
"""Bounds of the histogram of batch times: from cheap stages on small corpora to models on hours of video."""
STATES = ("done", "cached", "quarantined", "left")


class Metrics:
    """A `jobs.telemetry.watcher.Watcher` that counts, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(namespace="joinery", registry=self.registry)
        self._info = self._gauge("run_info", "The run that is going on.", "run", "executor", "recipe_digest")
        self._began = self._gauge("run_started_timestamp_seconds", "When it began.")
        self._items = self._gauge("stage_items", "Items of a stage by what became of them.", "stage", "state")
        self._running = self._gauge("stage_running", "1 while a stage is worked on.", "stage")
        self._in_flight = self._gauge("stage_items_in_flight", "Handed to the executor and not back.", "stage")
        self._results = self._counter("results", "Items that came back in this run.", "stage", "outcome")
        self._cpu = self._counter("cpu_seconds", "Processor time of workers.", "stage")
        self._held = self._counter("worker_seconds", "Time that workers' places were taken.", "stage")
        self._gpu = self._counter("gpu_seconds", "GPUs held, times the seconds they were.", "stage")
        self._read = self._counter("source_bytes", "Size of source files that were opened.", "stage")
        self._stored = self._counter("stored_bytes", "Written into the workspace.", "stage")
        self._tokens = self._counter("tokens", "Tokens models read (in) and wrote (out).", "stage", "direction")
        self._batch = Histogram(
            "joinery_batch_seconds",
            "Batches, by how long they took.",
            ["stage"],
            registry=self.registry,
            buckets=BATCH_S,
        )
        self._last = self._gauge("last_batch_timestamp_seconds", "When a batch last came back.")

    def began(self, run: Run) -> None:
        self._info.labels(run.run_id, run.executor, run.recipe_digest).set(1)
        self._began.set_to_current_time()

    def stage(self, progress: StageProgress) -> None:
        counts = (progress.done, progress.cached, progress.quarantined, progress.left)
        for state, count in zip(STATES, counts, strict=True):
            self._items.labels(progress.stage, state).set(count)
        self._running.labels(progress.stage).set(int(progress.running))

    def handed(self, stage: str, n_items: int) -> None:
        self._in_flight.labels(stage).inc(n_items)

    def came(self, stage: str, attempt: Attempt) -> None:
        self._last.set(time.time())
        self._in_flight.labels(stage).dec(len(attempt.done) + len(attempt.failures))
        self._results.labels(stage, "done").inc(len(attempt.done))
        self._results.labels(stage, "quarantined").inc(len(attempt.failures))
        if attempt.cost is None:
            return
        cost = attempt.cost
        self._cpu.labels(stage).inc(cost.cpu_s)
        self._held.labels(stage).inc(cost.seconds)
        self._gpu.labels(stage).inc(cost.gpu_s)
        self._read.labels(stage).inc(cost.source_bytes)
        self._stored.labels(stage).inc(cost.stored_bytes)
        self._tokens.labels(stage, "in").inc(cost.prompt_tokens)
        self._tokens.labels(stage, "out").inc(cost.completion_tokens)
        self._batch.labels(stage).observe(cost.seconds)

    def ended(self, run: Run, error: BaseException | None) -> None:
        """Nothing: the server is closed with the run."""

    def _gauge(self, name: str, said: str, *labels: str) -> Gauge:
        return Gauge(f"joinery_{name}", said, labels, registry=self.registry)

    def _counter(self, name: str, said: str, *labels: str) -> Counter:
        return Counter(f"joinery_{name}", said, labels, registry=self.registry)


class MetricsServer:
    """Serves a registry at ``/metrics`` until it is closed."""

    def __init__(self, metrics: Metrics, port: int, address: str) -> None:
        """Raises JoineryError when the port cannot be had."""
        try:
            self._server: WSGIServer
            self._server, self._thread = start_http_server(port, address, metrics.registry)
        except OSError as error:
            raise JoineryError(
                f"run.metrics_port: cannot serve at {address}:{port} ({error.strerror}); name another port, or 0 for "
                "any that is free"
            ) from error

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/metrics"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
