"""Whether copies under other names are found, and nothing else: ``python -m benchmarks.duplicates OUT [--episodes N]``.

Makes a corpus of five LeRobot sources, and of each a copy that a person would make without knowing: another name, half
the picture size, much stronger compression, other words for every task, episodes in another order. Runs the river over
both up to ``dedup`` and holds what it lists against what was planted: precision and recall over pairs of episodes, and
the share of the copies' events that left training.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import yaml

from jobs.river import RIVER
from jobs.run import run_recipe
from pipeline.ledger import Ledger
from pipeline.repeatable_x264 import CONTAINER_OPTIONS, add_x264_stream
from pipeline.store import Workspace
from pipeline.synthetic.corpus import CorpusParameters, make_corpus
from schemas.cluster import Membership
from schemas.duplicate import DuplicateEpisodes
from schemas.episode import Episode
from schemas.recipe_file import load_recipe

DEMO = Path(__file__).resolve().parents[1] / "recipes" / "demo.yaml"
SUFFIX = "_again"
CRF = 30


class _Silent:
    def update(self, progress: object) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Score:
    """What was found of what was planted."""

    n_planted: int
    n_found: int
    n_wrong: int
    n_copied_events: int
    """Events of both copies of a planted pair, less those of the better copy and those that are never left out."""
    n_left_out: int
    n_other_events: int
    n_others_left_out: int
    n_across: int
    """Planted pairs on two sides of the split."""

    @property
    def recall(self) -> float:
        return self.n_found / max(self.n_planted, 1)

    @property
    def precision(self) -> float:
        return self.n_found / max(self.n_found + self.n_wrong, 1)


def plant(folder: Path, out: Path, words: str = "once more, ") -> None:
    """A copy of a LeRobot dataset: pictures half as large and compressed anew, tasks in other words."""
    shutil.copytree(folder, out)
    for video in sorted(out.rglob("*.mp4")):
        with suppress(av.error.InvalidDataError):  # one of the made recordings is broken on purpose
            _encode_again(folder / video.relative_to(out), video)
    for table in sorted(out.glob("meta/*.jsonl")):
        rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
        table.write_text("".join(json.dumps(_reworded(row, words)) + "\n" for row in rows), encoding="utf-8")


def _reworded(row: dict[str, Any], words: str) -> dict[str, Any]:
    if "task" in row:
        row["task"] = words + row["task"]
    if "tasks" in row:
        row["tasks"] = [words + task for task in row["tasks"]]
    return row


def _encode_again(source: Path, target: Path) -> None:
    with av.open(str(source)) as there, av.open(str(target), "w", format="mp4", options=CONTAINER_OPTIONS) as here:
        shown = there.streams.video[0]
        rate = shown.average_rate
        assert rate is not None
        stream = add_x264_stream(here, int(rate), {"preset": "veryfast", "crf": str(CRF)})
        stream.width, stream.height = shown.width // 4 * 2, shown.height // 4 * 2
        for n, frame in enumerate(there.decode(shown)):
            small = frame.reformat(stream.width, stream.height, "yuv420p")
            small.pts, small.time_base = n, Fraction(1, int(rate))
            here.mux(stream.encode(small))
        here.mux(stream.encode(None))


def recipe_with_copies(corpus: Path, folder: Path, names: Sequence[str]) -> Path:
    """The demo's recipe with only these sources, each beside a planted copy; ``folder`` holds all that is made."""
    data = yaml.safe_load(DEMO.read_text(encoding="utf-8").replace("../demo/corpus", str(corpus)))
    sources = [source for source in data["sources"] if source["name"] in names]
    for source in list(sources):
        name = source["name"] + SUFFIX
        if not (folder / name).exists():
            plant(Path(source["path"]), folder / name)
        sources.append({**source, "name": name, "path": str(folder / name)})
    data |= {"sources": sources, "workspace": {"url": str(folder / "workspace")}, "run": {"executor": "inline"}}
    path = folder / "copies.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def score(ledger: Ledger) -> Score:
    """What dedup wrote against what was planted: an episode and the one with its name and locator again."""
    episodes = {episode.episode_id: episode for episode in ledger.present(Episode, "ingest")}
    members = list(ledger.present(Membership, "dedup"))
    named = {(e.source, e.locator): e.episode_id for e in episodes.values()}
    there = {item.episode_id for item in members}
    planted = set()
    for (source, locator), name in named.items():
        again = named.get((source + SUFFIX, locator))
        if again is not None and {name, again} <= there:
            planted.add(frozenset((name, again)))
    pairs = [pair for pair in ledger.present(DuplicateEpisodes, "dedup") if pair.same_recording]
    whole = {frozenset((pair.episode_id, pair.kept_id)) for pair in pairs}
    side = {item.episode_id: item.split for item in members}
    kept = {pair.kept_id for pair in pairs}
    copied = [
        item
        for item in members
        if any(item.episode_id in pair for pair in planted)
        and item.episode_id not in kept
        and not item.tail
        and not item.recovery
    ]
    names = {item.event_id for item in copied}
    others = [item for item in members if item.event_id not in names]
    return Score(
        n_planted=len(planted),
        n_found=len(planted & whole),
        n_wrong=len(whole - planted),
        n_copied_events=len(copied),
        n_left_out=sum(not item.kept for item in copied),
        n_other_events=len(others),
        n_others_left_out=sum(not item.kept for item in others),
        n_across=sum(len({side[name] for name in pair}) > 1 for pair in planted),
    )


def measure(recipe: Path) -> Score:
    """Run a recipe and score it."""
    loaded = load_recipe(recipe, ["run.error_budget=1.0"])
    run_recipe(loaded, _Silent())
    workspace = Workspace.open(loaded.recipe.workspace.url, loaded.recipe.workspace.storage)
    ledger = Ledger(workspace, loaded.recipe, RIVER)
    ledger.refresh_all()
    return score(ledger)


def main() -> int:
    """Parse the command line, measure, print. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.duplicates", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the corpus and the workspace")
    parser.add_argument("--episodes", type=int, default=6, metavar="N", help="per source")
    given = parser.parse_args()
    make_corpus(given.out / "corpus", CorpusParameters(given.episodes, seed=2))
    names = ["teleop", "open_robot", "recovery", "umi", "self_collected"]
    found = measure(recipe_with_copies(given.out / "corpus", given.out, names))
    print(f"recordings: {found.n_planted} planted, {found.n_found} found, {found.n_wrong} others named")
    print(f"precision {found.precision:.3f}, recall {found.recall:.3f}")
    print(f"events of copies left out: {found.n_left_out} of {found.n_copied_events}")
    print(f"other events left out: {found.n_others_left_out} of {found.n_other_events}")
    print(f"planted pairs on two sides: {found.n_across}")
    return int(found.precision < 1 or found.recall < 0.95 or found.n_across > 0)


if __name__ == "__main__":
    sys.exit(main())
