"""One trial of every fault on a real cluster: nothing lost, nothing doubled, the same bytes, told why, right status.

`python -m benchmarks.faults` does twenty of each (docs/faults.md).
"""

import importlib
import json
import random
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults.__main__ import FAULTS, NEEDS_ROOT, table
from benchmarks.faults.cluster import may_have_namespaces
from benchmarks.faults.ground import Ground, made_corpus
from benchmarks.faults.verdict import Evidence, compared

ROOT = Path(__file__).resolve().parents[2]
RESULTS, PAGE = ROOT / "benchmarks" / "results", ROOT / "docs" / "faults.md"
SEEDS = range(100, 110)
"""A fault may come too late to hit anything; then the next."""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("faults")
    ground = Ground(folder / "ground", made_corpus(folder))
    yield ground
    ground.close()


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_survives_or_says_why_and_ends_with_the_same_bytes(ground: Ground, fault: str) -> None:
    if fault in NEEDS_ROOT and not may_have_namespaces():
        pytest.skip("needs root on Linux")
    module = importlib.import_module(f"benchmarks.faults.{fault}")
    for seed in SEEDS:
        began = time.monotonic()
        trial = ground.judged(fault, seed, module.trial(ground, random.Random(seed)), time.monotonic() - began)
        assert not trial.wrong, trial
        if trial.injected:
            return
    pytest.fail(f"{fault} hit nothing in {len(SEEDS)} runs")


WHOLE = Evidence({"a.tar": "1"}, {("events", "k"): 4}, frozenset({"k"}), 0, frozenset({"ingest ep-1 SourceError"}), "")


@pytest.mark.parametrize(
    ("found", "lost", "doubled", "differing", "said"),
    [
        (Evidence({}, {("events", "k"): 4}, WHOLE.keys, 0, WHOLE.reasons, ""), 0, 0, 1, "1 files that differ: a.tar"),
        (Evidence(WHOLE.files, {}, WHOLE.keys, 0, WHOLE.reasons, ""), 1, 0, 0, "1 rows lost"),
        (Evidence(WHOLE.files, {("events", "k"): 8}, WHOLE.keys, 0, WHOLE.reasons, ""), 0, 1, 0, "1 rows doubled"),
        (Evidence(WHOLE.files, {("events", "k"): 4}, frozenset(), 0, WHOLE.reasons, ""), 1, 0, 0, "1 results lost: k"),
        (Evidence(WHOLE.files, {("events", "k"): 4}, WHOLE.keys, 0, frozenset(), ""), 0, 0, 0, "1 reasons lost"),
    ],
)
def test_whatever_is_lost_doubled_or_changed_is_seen(
    found: Evidence, lost: int, doubled: int, differing: int, said: str
) -> None:
    assert compared(WHOLE, WHOLE).wrong == ()
    verdict = compared(WHOLE, found)
    assert (verdict.lost, verdict.doubled, verdict.differing) == (lost, doubled, differing)
    assert any(line.startswith(said) for line in verdict.wrong)


def test_the_table_counts_runs_faults_and_repetitions() -> None:
    row = {
        "fault": "head",
        "seed": 0,
        "injected": 2,
        "lost": 0,
        "doubled": 0,
        "differing": 0,
        "wrong": [],
        "seconds": 9,
    }
    said = table([{**row, "statuses": [1, 0]}, {**row, "statuses": [0], "wrong": ["x"]}]).splitlines()[1].split()
    assert said == ["head", "2", "4", "1", "1", "0", "0", "0", "1", "9.0"]


def test_the_page_has_the_table_of_every_trial_that_was_kept() -> None:
    rows = json.loads((RESULTS / "faults.json").read_text(encoding="utf-8"))
    said = (RESULTS / "faults.txt").read_text(encoding="utf-8")
    assert said == table(rows) + "\n"
    assert textwrap.indent(said, "    ") in PAGE.read_text(encoding="utf-8")
    assert min(Counter(row["fault"] for row in rows if row["injected"])[fault] for fault in FAULTS) >= 20
    assert sum(row["lost"] + row["doubled"] + row["differing"] for row in rows) == 0
    assert sum(bool(row["wrong"]) for row in rows) == 1, "the page tells of each"
