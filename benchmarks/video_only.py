"""Whether cuts from pictures alone beat evenly spread ones: ``python -m benchmarks.video_only RECIPE --truth TRUTH``.

The recordings of a recipe are ingested and their actions taken away; what the pictures give is cut into a tree as
`segment` does, and its actions are scored against the truth file (docs/score.md has the metrics). Beside stand a cut
every second, and *as many cuts as ours* per episode, evenly spread. p is two-sided, from paired bootstraps over
episodes: twice the share of resamples in which the sign of the difference turns. ``--split tune`` and ``--split
held_out`` score a part; even seeds were tuned on. Exits with 1 unless ours beats the same count in boundary F1 at
±0.25 s with p < .05.

`benchmarks/results/video_only.txt` is what it printed for episodes made by ``python -m benchmarks.sim demo/sim --tasks
pick-place,basketball,hammer,drawer-open,window-open,button-press,push,Lift,PickPlaceCan --seeds 0:4``.
"""

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from annotators.scores.baselines import SAME_COUNT, UNIFORM, same_count, uniform
from annotators.scores.bootstrap import RESAMPLES, ratios_of, resampled_sums
from annotators.scores.marks import OURS, Case, Mark, inside
from annotators.scores.ratios import f1_at, ratios, segment_f1_at
from annotators.segment import segment
from jobs.score import read_truth
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources.formats import discover
from schemas.episode import ActionKind, Alignment, Episode, KeptRange, SyncVerdict
from schemas.event import BoundaryKind, Level
from schemas.filmstrip import Filmstrip
from schemas.recipe import SegmentSpec
from schemas.recipe_file import load_recipe
from schemas.source import EpisodeRef
from schemas.truth import TruthEpisode

METRICS = (f1_at(0.1), f1_at(0.25), f1_at(0.5), segment_f1_at(0.75))
JUDGED = f1_at(0.25)
SEED = 0
SIGNIFICANT = 0.05


def cases(recipe_file: Path, truth_file: Path, split: str, level: Level) -> Iterator[Case]:
    """Every episode with truth, its actions taken away."""
    recipe = load_recipe(recipe_file).recipe
    truth = {(entry.source, entry.locator): entry for entry in read_truth(truth_file).episodes}
    for source in recipe.sources:
        files = SourceFiles(source.path)
        for ref in discover(source, files, MemoryDigests()):
            entry = truth.get((ref.source, ref.locator)) if isinstance(ref, EpisodeRef) else None
            if isinstance(ref, EpisodeRef) and entry is not None and split in ("", entry.split):
                records = list(ingest(ref, files, recipe.ingest))
                (episode,) = (record for record in records if isinstance(record, Episode))
                strips = [record for record in records if isinstance(record, Filmstrip)]
                yield case(episode, strips, entry, level, recipe.segment)


def case(episode: Episode, strips: Sequence[Filmstrip], entry: TruthEpisode, level: Level, spec: SegmentSpec) -> Case:
    """One episode, whole, with the cuts of one level of its tree and the two grids."""
    episode = dataclasses.replace(episode, action_kind=ActionKind.NONE)
    end_ns = episode.master.end_ns
    whole = Alignment(episode.episode_id, SyncVerdict.UNVERIFIED, 0, 0.0, 0.0, (KeptRange(0, end_ns),))
    events = segment(episode, None, strips, whole, None, spec=spec)
    starts = {event.start.t_ns: event.start.kind for event in events if event.level is level}
    ranges = ((0, end_ns),)
    ours = inside([Mark(t_ns, kind) for t_ns, kind in starts.items() if kind is not BoundaryKind.RANGE_EDGE], ranges)
    return Case(
        name=f"{entry.source}: {entry.locator}",
        ranges_ns=ranges,
        true=inside([Mark(mark.t_ns, mark.kind) for mark in entry.boundaries], ranges),
        systems={
            OURS: ours,
            SAME_COUNT: inside(same_count(ranges, ours), ranges),
            UNIFORM: inside(uniform(ranges), ranges),
        },
        slices={"task": entry.task},
    )


def p_value(differences: Sequence[float]) -> float:
    """Two-sided, of resampled differences; never below what so many resamples can tell."""
    values = np.asarray(differences)
    share = min(float(np.mean(values <= 0)), float(np.mean(values >= 0)))
    return max(2 * share, 1 / len(values))


def compared(found: Sequence[Case]) -> tuple[list[str], bool]:
    """The printed table, and whether ours beats the same count."""
    systems = (OURS, SAME_COUNT, UNIFORM)
    terms = {
        system: np.array([[ratios(case, case.systems[system], ())[name] for name in METRICS] for case in found])
        for system in systems
    }
    flat = np.concatenate([terms[system].reshape(len(found), -1) for system in systems], axis=1)
    estimates = ratios_of(flat.sum(axis=0)).reshape(len(systems), -1)
    resampled = ratios_of(resampled_sums(flat, seed=SEED)).reshape(RESAMPLES, len(systems), -1)
    lines = [f"{'':16} {'cuts':>5}" + "".join(f" {name:>22}" for name in METRICS)]
    beaten = True
    for i, system in enumerate(systems):
        cells = []
        for k in range(len(METRICS)):
            note = ""
            if i:
                p = p_value(resampled[:, 0, k] - resampled[:, i, k])
                gain = estimates[0, k] - estimates[i, k]
                note = f" ({gain:+.3f}, p {p:.4f})"
                judged = system == SAME_COUNT and METRICS[k] == JUDGED
                beaten = beaten and (not judged or (gain > 0 and p < SIGNIFICANT))
            cells.append(f" {f'{estimates[i, k]:.3f}{note}':>22}")
        lines.append(f"{system:16} {sum(len(case.systems[system]) for case in found):5}" + "".join(cells))
    return lines, beaten


def _f1(found: Sequence[Case], system: str) -> float:
    terms = np.array([ratios(case, case.systems[system], ())[f1_at(0.25)] for case in found])
    return float(ratios_of(terms.sum(axis=0))[0])


def main() -> int:
    """Print the tables; exit code 1 when the same count is not beaten."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--split", default="", choices=["", "tune", "held_out"], help="both by default")
    parser.add_argument(
        "--level", type=Level, default=Level.ACTION, choices=[Level.SUBTASK, Level.ACTION, Level.SEGMENT]
    )
    given = parser.parse_args()
    found = list(cases(given.recipe, given.truth, given.split, given.level))
    if not found:
        sys.stderr.write(f"{given.truth}: no episode of {given.recipe} in split {given.split or 'any'}; run neither\n")
        return 1
    n_true = sum(len(case.true) for case in found)
    print(f"{len(found)} episodes, {n_true} true boundaries, split {given.split or 'any'}, level {given.level}")
    lines, beaten = compared(found)
    print("\n".join(lines))
    print(f"\n{f1_at(0.25):16} {OURS:>14} {SAME_COUNT:>14}")
    for task in sorted({case.slices["task"] for case in found}):
        part = [case for case in found if case.slices["task"] == task]
        print(f"{task:16}" + "".join(f" {_f1(part, system):14.3f}" for system in (OURS, SAME_COUNT)))
    return 0 if beaten else 1


if __name__ == "__main__":
    sys.exit(main())
