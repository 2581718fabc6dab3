"""What a real scrape of a run says: the same numbers as its ledger."""

import re
import socket
import urllib.request
from collections.abc import Callable

import pytest

from jobs.progress import StageProgress
from jobs.run import run_recipe
from jobs.telemetry import observed
from jobs.telemetry.metrics import Metrics, MetricsServer
from pipeline.errors import JoineryError
from pipeline.store import Workspace
from schemas.cost import COORDINATOR, BatchCost
from schemas.recipe_file import LoadedRecipe
from tests.jobs.telemetry.happened import ATTEMPT, RUN, progress

SAMPLE = re.compile(r"^(joinery_\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def scraped(url: str) -> dict[tuple[str, str], float]:
    """(name, labels) → value, as Prometheus reads it."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    return {(name, labels): float(value) for name, labels, value in SAMPLE.findall(text)}


def test_everything_that_is_known_of_a_batch_is_counted() -> None:
    metrics = Metrics()
    server = MetricsServer(metrics, 0, "127.0.0.1")
    metrics.began(RUN)
    metrics.handed("ingest", 4)
    metrics.came("ingest", ATTEMPT)
    metrics.stage(progress(1, 1, running=True))
    found = scraped(server.url)
    server.close()
    stage = 'stage="ingest"'
    assert found["joinery_run_info", 'executor="ray",recipe_digest="digest",run="run-1"'] == 1
    states = {state: found["joinery_stage_items", f'{stage},state="{state}"'] for state in ("done", "cached", "left")}
    assert states == {"done": 1, "cached": 2, "left": 6}
    assert found["joinery_stage_items_in_flight", stage] == 2
    assert found["joinery_results_total", f'outcome="quarantined",{stage}'] == 1
    for name, value in {"cpu_seconds": 1.5, "worker_seconds": 2.5, "gpu_seconds": 0.5, "source_bytes": 1000}.items():
        assert found[f"joinery_{name}_total", stage] == value
    assert found["joinery_tokens_total", f'direction="out",{stage}'] == 4
    assert found["joinery_batch_seconds_bucket", f'le="2.5",{stage}'] == 1
    assert found["joinery_batch_seconds_bucket", f'le="1.0",{stage}'] == 0
    with pytest.raises(OSError, match="refused"):
        scraped(server.url)


class Scraper:
    """A reporter that scrapes the run it is told of when its last stage has ended."""

    def __init__(self, urls: list[str]) -> None:
        self._urls = urls
        self.found: dict[tuple[str, str], float] = {}

    def update(self, progress: StageProgress) -> None:
        if progress.stage == "segment" and not progress.running:
            self.found = scraped(self._urls[0])

    def close(self) -> None:
        pass


@pytest.mark.slow
def test_a_run_that_is_scraped_says_what_its_ledger_says(
    load: Callable[..., LoadedRecipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    urls: list[str] = []

    class Noted(MetricsServer):
        def __init__(self, metrics: Metrics, port: int, address: str) -> None:
            super().__init__(metrics, port, address)
            urls.append(self.url)

    monkeypatch.setattr(observed, "MetricsServer", Noted)
    loaded, scraper = load("run.metrics_port=0"), Scraper(urls)
    run_recipe(loaded, scraper)
    assert urls[0].startswith("http://127.0.0.1:")
    spent: dict[str, float] = {}
    for cost in Workspace.existing(loaded.recipe.workspace.url).rows(BatchCost):
        spent[cost.stage] = spent.get(cost.stage, 0.0) + cost.cpu_s
    spent.pop(COORDINATOR)
    counted = {
        labels[7:-1]: value for (name, labels), value in scraper.found.items() if name == "joinery_cpu_seconds_total"
    }
    before = ("ingest", "lag", "vote", "align", "calibrate")
    assert {stage: counted[stage] for stage in before} == pytest.approx({stage: spent[stage] for stage in before})
    assert scraper.found["joinery_stage_items", 'stage="ingest",state="quarantined"'] == 1
    with pytest.raises(OSError, match="refused"):
        scraped(urls[0])


def test_a_port_that_is_taken_ends_the_run_before_it_begins(load: Callable[..., LoadedRecipe]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(
            JoineryError, match=r"run.metrics_port: cannot serve at 127.0.0.1:\d+ \(Address already in use"
        ):
            run_recipe(load(f"run.metrics_port={taken.getsockname()[1]}"), Scraper([]))
