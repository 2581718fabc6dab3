"""What all trials share: a small corpus, a recipe, an undisturbed run of it, and a cluster that can be hurt."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from benchmarks.faults.cluster import Cluster
from benchmarks.faults.memory_group import MemoryGroup
from benchmarks.faults.small_disk import SmallDisk, shared_with_namespaces
from benchmarks.faults.started import Started
from benchmarks.faults.verdict import Evidence, Verdict, compared, evidence_of, reasons_of
from jobs.why import Reasons
from pipeline.synthetic.corpus import CorpusParameters, make_corpus

R = TypeVar("R")
DEMO = Path(__file__).resolve().parents[2] / "recipes" / "demo.yaml"
SOURCES = ("teleop", "self_collected", "internet")
"""Few, so that a run is short: what a fault meets is seventeen stages, each with its processes and commits."""
BUDGET = "run.error_budget=0.5"
"""Some recordings are broken on purpose, and a poisoned one may be added."""
RAY_DISK_BYTES = 256 << 20
NODES_BYTES = 3 << 30
RERUNS = 3
"""How often a run is repeated at most until it succeeds; once is what we promise."""


@dataclass(frozen=True)
class Place:
    """One workspace and the recipe that names it."""

    recipe: Path
    workspace: Path
    overrides: tuple[str, ...]
    begin_from: Path | None
    """The workspace that this was a copy of."""


@dataclass(frozen=True)
class Happened:
    """What a fault did to a run, and how the run and its repetitions ended."""

    place: Place
    when: str
    did: str
    injected: int
    statuses: tuple[int, ...]
    allowed: tuple[int, ...]
    """Exit statuses the disturbed run may end with."""
    said: str = ""
    """The last lines of a disturbed run that did not succeed."""
    wrong: tuple[str, ...] = ()
    more_reasons: frozenset[str] = frozenset()
    """What the fault itself must leave in `why`."""
    runs_expected: int = 2
    """One that is disturbed and one that ends well, unless several are disturbed."""


@dataclass(frozen=True)
class Trial:
    """One row of the results."""

    fault: str
    seed: int
    when: str
    did: str
    injected: int
    statuses: tuple[int, ...]
    seconds: float
    lost: int
    doubled: int
    differing: int
    raced: int
    said: str
    wrong: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """What an undisturbed run leaves, and how long it takes."""

    evidence: Evidence
    seconds: dict[str, float]
    """Stage → seconds, on the cluster."""
    n_bytes: int
    """Of the whole workspace."""


class Ground:
    """Made once; every trial gets a workspace of its own, and a cluster that is whole when it begins."""

    def __init__(self, folder: Path, corpus: Path) -> None:
        self.folder, self.corpus = folder, corpus
        self._seen_by_nodes = shared_with_namespaces(folder)
        self.hooks = folder / "hooks"
        """Where Python on the nodes looks for modules first."""
        self.hooks.mkdir(parents=True)
        self.disk = SmallDisk(Path(tempfile.mkdtemp(prefix="jf-", dir="/tmp")), RAY_DISK_BYTES)
        """What Ray's own files lie on."""
        self.group = MemoryGroup(f"jf{os.getpid()}", NODES_BYTES)
        """The memory that the nodes beside the head may take."""
        self.afterwards: list[Callable[[], None]] = []
        """Done once a trial has been judged."""
        self._finally: list[Callable[[], None]] = []
        self._measured: dict[tuple[tuple[str, ...], Path | None], Measured] = {}
        self._kept: dict[str, Any] = {}
        self._n_places = 0
        self._repeats_said: list[str] = []
        """Last words of repetitions that failed too, which they should not."""
        self._cluster = Cluster(
            folder=self.disk.folder / "ray", environment={"PYTHONPATH": str(self.hooks)}, wrap=self.group.entering
        )

    @property
    def cluster(self) -> Cluster:
        """Whole, mended if need be."""
        self._cluster.heal()
        return self._cluster

    def kept(self, name: str, make: Callable[[], R], end: Callable[[R], None] = lambda _: None) -> R:
        """What a fault needs for all its trials, made at the first."""
        if name not in self._kept:
            made = self._kept[name] = make()
            self._finally.append(lambda: end(made))
        found: R = self._kept[name]
        return found

    def new_folder(self) -> Path:
        self._n_places += 1
        folder = self.folder / f"place{self._n_places}"
        folder.mkdir(parents=True)
        return folder

    def place(self, *overrides: str, folder: Path | None = None, begin_from: Path | None = None) -> Place:
        """A new workspace, empty or a copy of one; ``overrides`` are those of all runs that will be compared."""
        folder = folder or self.new_folder()
        workspace = folder / "workspace"
        if begin_from is not None:
            shutil.copytree(begin_from, workspace)
        text = DEMO.read_text(encoding="utf-8")
        text = text.replace("../demo/corpus", str(self.corpus)).replace("../demo/workspace", str(workspace))
        said = yaml.safe_load(text)
        said["sources"] = [source for source in said["sources"] if source["name"] in SOURCES]
        recipe = folder / "recipe.yaml"
        recipe.write_text(yaml.safe_dump(said), encoding="utf-8")
        return Place(recipe, workspace, overrides, begin_from)

    def start(
        self, place: Place, *more: str, inline: bool = False, wrap: Sequence[str] = (), options: Sequence[str] = ()
    ) -> Started:
        """Start a run on the cluster, or in one process."""
        where = ("executor=inline",) if inline else ("executor=ray", f"ray_address={self.cluster.address}")
        said = [BUDGET, "run.batch_items=1", *(f"run.{each}" for each in where), *place.overrides, *more]
        return Started(place.recipe, said, wrap=wrap, options=options)

    def finish(self, place: Place, status: int, *more: str) -> tuple[int, ...]:
        """Repeat a run that ended with this status until it succeeds; all exit statuses."""
        statuses = [status]
        while statuses[-1] != 0 and len(statuses) <= RERUNS:
            run = self.start(place, *more)
            statuses.append(run.end())
            if statuses[-1] != 0:
                self._repeats_said.append(last_lines(run.said))
        return tuple(statuses)

    @property
    def seconds(self) -> dict[str, float]:
        """Of the stages of an ordinary run."""
        return self.measured().seconds

    def measured(self, overrides: tuple[str, ...] = (), begin_from: Path | None = None) -> Measured:
        """The undisturbed run: in one process, which says what the bytes are, and on the cluster, which says when."""
        key = (overrides, begin_from)
        if key not in self._measured:
            alone, together = (self.place(*overrides, begin_from=begin_from) for _ in range(2))
            inline, run = self.start(alone, inline=True), None
            status = inline.end()
            assert status == 0, inline.said
            run = self.start(together)
            status = run.end()
            assert status == 0, run.said
            evidence = _evidence(alone)
            verdict = compared(evidence, _evidence(together))
            assert not verdict.wrong, verdict.wrong
            n_bytes = sum(path.stat().st_size for path in alone.workspace.rglob("*") if path.is_file())
            self._measured[key] = Measured(evidence, dict(run.seconds), n_bytes)
            shutil.rmtree(together.workspace)
        return self._measured[key]

    def reasons(self, place: Place) -> Reasons:
        """What `joinery why` says now."""
        return reasons_of(place.recipe, [BUDGET, *place.overrides])

    def judged(self, fault: str, seed: int, happened: Happened, seconds: float) -> Trial:
        """Compare what is there now with what should be, and clear it away."""
        wrong, place = list(happened.wrong), happened.place
        first, last = happened.statuses[0], happened.statuses[-1]
        if first not in happened.allowed:
            wrong.append(f"exit status {first}, expected one of {happened.allowed}")
        if last != 0 or len(happened.statuses) > happened.runs_expected:
            wrong.append(f"ended with {happened.statuses}; repeated, it said: {' / '.join(self._repeats_said)}")
        self._repeats_said.clear()
        verdict = Verdict(0, 0, 0, 0, ())
        if last == 0:
            undisturbed = self.measured(place.overrides, place.begin_from).evidence
            verdict = compared(undisturbed, _evidence(place), more_reasons=happened.more_reasons)
        if not (wrong or verdict.wrong):
            shutil.rmtree(place.workspace)
        _do_all(self.afterwards)
        return Trial(
            fault,
            seed,
            happened.when,
            happened.did,
            happened.injected,
            happened.statuses,
            round(seconds, 1),
            verdict.lost,
            verdict.doubled,
            verdict.differing,
            verdict.raced,
            happened.said,
            (*wrong, *verdict.wrong),
        )

    def close(self) -> None:
        """End and remove everything."""
        _do_all(self.afterwards)
        _do_all(self._finally)
        self._cluster.close()
        self.disk.close()
        self.group.close()
        self._seen_by_nodes()


def _do_all(deeds: list[Callable[[], None]]) -> None:
    while deeds:
        deeds.pop()()


def _evidence(place: Place) -> Evidence:
    return evidence_of(place.recipe, place.workspace, [BUDGET, *place.overrides])


def made_corpus(folder: Path) -> Path:
    """A few short recordings, some deliberately broken."""
    corpus = folder / "corpus"
    make_corpus(corpus, CorpusParameters(episodes_per_source=1, seed=3, with_defects=True))
    return corpus


def last_lines(text: str, n: int = 3) -> str:
    """The end of what a run said, for the table."""
    return "\n".join(text.splitlines()[-n:])
