"""Do action clusters find what hands do: ``python -m benchmarks.action_clusters FOLDER …``.

A FOLDER holds simulated episodes (docs/sim_truth.md), of even seeds for tuning or of odd ones for measuring; they are
run through the real stages into a workspace inside it, so a second call only measures. The label is the true phase
(reach, grasp, lift, transport, place, release, retreat, push); idling is left out, nobody draws it for a motion.

Two sets of events. *True* spans are the phases themselves, of at least five frames as every event of Joinery:
they measure descriptor and clustering alone, and the floors are theirs. *Detected* ones are the action events the
stages cut; each is labelled with the phase it shares most time with, so errors of cutting count against them too.

Three descriptors through the same fit: ours; the same without yaw alignment; and absolute positions, resampled. K is
what is asked for; clusters that cannot have ``min_cluster`` events are dissolved. Numbers are means over three seeds.
The last lines are about the tail: how often true recoveries are among the farthest events by either distance.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, roc_auc_score

from clustering import pose_embedding
from clustering.action_embedding import action_embeddings
from clustering.families import POSES, family_of
from clustering.fit import N_SEEDS, REFERENCE
from clustering.motion_shape import window_of
from clustering.place import neighbour_distances
from clustering.projection import fit_projection
from clustering.spherical import Points, cluster_points, nearest, one_thread
from data_cards.registry import bundled_cards
from jobs.progress import LineReporter
from jobs.river import RIVER
from jobs.run import run_recipe
from jobs.score import read_truth
from pipeline.aligned import aligned_actions
from pipeline.ledger import Ledger
from pipeline.pseudo.scale import calibration_for
from pipeline.store import Workspace
from schemas.calibration import Calibration, calibration_group
from schemas.episode import ActionTrack, Alignment, Episode
from schemas.event import Event, Level, RecoveryKind
from schemas.identity import make_id
from schemas.recipe import ClusterSpec, EmbedSpec
from schemas.recipe_file import load_recipe
from schemas.source import EpisodeRef
from schemas.time import Span
from schemas.truth import TruthEpisode

IDLE = "idle"
MIN_FRAMES = 5
KS = (8, 16, 32)
FLOORS = {"nmi": (16, 0.65), "purity": (16, 0.88), "ari": (16, 0.80)}
"""Measure → K and floor, for true spans and our descriptor."""
SPEC, CLUSTERS = EmbedSpec(), ClusterSpec()
Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Labelled:
    """One event and the phase it is."""

    track: ActionTrack
    embodiment: str
    calibration: Calibration | None
    event: Event
    phase: str


@dataclass(frozen=True)
class Scores:
    """One descriptor at one K."""

    found: float
    nmi: float
    purity: float
    ari: float


def corpus(folder: Path) -> tuple[list[Labelled], list[Labelled]]:
    """True and detected events of simulated episodes, cut by the real stages."""
    overrides = ["run.executor=inline", "run.error_budget=1", f"workspace.url={folder / 'workspace'}"]
    loaded = load_recipe(folder / "recipe.yaml", overrides, bundled_cards())
    run_recipe(loaded, LineReporter(lambda _: None))
    workspace = Workspace.existing(loaded.recipe.workspace.url, loaded.recipe.workspace.storage)
    ledger = Ledger(workspace, loaded.recipe, RIVER)
    ledger.refresh_all()
    located = {ref.episode_id: (ref.source, ref.locator) for ref in workspace.rows(EpisodeRef)}
    truths = {(entry.source, entry.locator): entry for entry in read_truth(folder / "truth.json").episodes}
    tracks = {track.episode_id: track for track in ledger.present(ActionTrack, "ingest")}
    alignments = {alignment.episode_id: alignment for alignment in ledger.present(Alignment, "align")}
    scales = {scale.group: scale for scale in ledger.present(Calibration, "calibrate")}
    events: dict[str, list[Event]] = {}
    for event in ledger.present(Event, "caption"):
        if event.level is Level.ACTION:
            events.setdefault(event.episode_id, []).append(event)
    true: list[Labelled] = []
    detected: list[Labelled] = []
    for episode in ledger.present(Episode, "ingest"):
        own = events.get(episode.episode_id, [])
        track = aligned_actions(tracks.get(episode.episode_id), alignments[episode.episode_id])
        if not own or track is None:
            continue
        scale = scales.get(calibration_group(episode.dataset, episode.embodiment))
        calibration = None if scale is None else calibration_for(track, scale)
        entry = truths[located[episode.episode_id]]
        of = (track, episode.embodiment, calibration)
        true += [Labelled(*of, *one) for one in true_events(entry, episode, track, own[0])]
        detected += [Labelled(*of, event, phase) for event in own if (phase := phase_of(event.span, entry)) != IDLE]
    return true, detected


def true_events(entry: TruthEpisode, episode: Episode, track: ActionTrack, like: Event) -> Iterator[tuple[Event, str]]:
    """One event per true phase that is long enough; everything but its span is that of some event."""
    clock = episode.master.clock
    for part in entry.phases:
        start, end = clock.frames_within(part.start_ns, part.end_ns)
        if part.phase != IDLE and end - start >= MIN_FRAMES:
            span = clock.span(start, end, track.times_ns)
            name = make_id("ev", episode.episode_id, str(start), str(end))
            yield Event(**{**vars(like), "event_id": name, "span": span, "recovery": RecoveryKind.NONE}), part.phase


def phase_of(span: Span, entry: TruthEpisode) -> str:
    """The true phase an event shares most time with."""
    shared: Counter[str] = Counter({IDLE: 0})
    for part in entry.phases:
        shared[part.phase] += max(0, min(part.end_ns, span.end_ns) - max(part.start_ns, span.start_ns))
    return shared.most_common(1)[0][0]


# -- descriptors -------------------------------------------------------------------------------------------------------


def ours(items: Sequence[Labelled]) -> Vectors:
    """What the embed stage writes."""
    return np.concatenate([_embedded(item) for item in items])


def without_yaw(items: Sequence[Labelled]) -> Vectors:
    """The same numbers of paths that are not turned."""
    aligned = pose_embedding.heading
    pose_embedding.heading = lambda _path: np.eye(3)
    try:
        return ours(items)
    finally:
        pose_embedding.heading = aligned


def absolute(items: Sequence[Labelled]) -> Vectors:
    """Positions in the robot's base frame, resampled, and nothing else."""
    return np.stack([_positions(item) for item in items]).astype(np.float32)


def _embedded(item: Labelled) -> Vectors:
    (found,) = action_embeddings(item.track, item.embodiment, [item.event], item.calibration, SPEC)
    return np.asarray(found.vector, np.float32)[None]


def _positions(item: Labelled) -> NDArray[np.float64]:
    arm = next(arm for arm in (*item.track.state, *item.track.target) if arm.position is not None)
    assert arm.position is not None
    finite = item.track.valid & np.isfinite(arm.position).all(axis=1)
    window = window_of(item.event.span, item.track.times_ns, finite, SPEC.action_points)
    assert window is not None
    return window.resampled(arm.position).reshape(-1)


DESCRIPTORS: dict[str, Callable[[Sequence[Labelled]], Vectors]] = {
    "ours": ours,
    "ours without yaw alignment": without_yaw,
    "absolute positions": absolute,
}


# -- measures ----------------------------------------------------------------------------------------------------------


def points_of(vectors: Vectors) -> Points:
    """As the cluster stage projects poses."""
    return fit_projection(vectors, family_of(f"{POSES}:32x6"), CLUSTERS.projected_dims).points(vectors)


def scores(points: Points, phases: NDArray[np.str_], k: int) -> Scores:
    """Means over the seeds the stage would try."""
    fits = [cluster_points(points, k, CLUSTERS.min_cluster, seed) for seed in range(N_SEEDS)]
    labels = [nearest(points, centroids)[0] for centroids in fits]
    return Scores(
        float(np.mean([len(centroids) for centroids in fits])),
        float(np.mean([normalized_mutual_info_score(phases, label) for label in labels])),
        float(np.mean([purity(phases, label) for label in labels])),
        float(np.mean([adjusted_rand_score(a, b) for a, b in combinations(labels, 2)])),
    )


def purity(phases: NDArray[np.str_], labels: NDArray[np.int64]) -> float:
    """Share of events whose phase is the commonest one of their cluster."""
    most = [np.unique(phases[labels == label], return_counts=True)[1].max() for label in np.unique(labels)]
    return float(sum(most)) / len(labels)


def print_tail(items: Sequence[Labelled], points: Points) -> None:
    """How well either distance tells recoveries the detector found from other events, as area under the curve."""
    recovery = np.array([item.event.recovery is not RecoveryKind.NONE for item in items])
    centroids = cluster_points(points, 16, CLUSTERS.min_cluster, 0)
    near, far = neighbour_distances(points, points[:REFERENCE]), nearest(points, centroids)[1]
    print(f"\ntail: {int(recovery.sum())} of {len(items)} detected events are recoveries")
    for name, distance in (("to the 10th neighbour", near), ("to the centroid", far)):
        beyond = distance > np.percentile(distance, 99, method="higher") - 1e-12
        where = Counter(item.phase for item, is_far in zip(items, beyond, strict=True) if is_far)
        print(f"  distance {name:22} AUC of recoveries {roc_auc_score(recovery, distance):.3f}; far out: {dict(where)}")


def measure(folder: Path) -> bool:
    """Print everything about one corpus; whether the floors hold."""
    reached = True
    name = " and ".join(sorted({entry.split for entry in read_truth(folder / "truth.json").episodes}))
    for spans, items in zip(("true spans", "detected events"), corpus(folder), strict=True):
        phases = np.array([item.phase for item in items])
        print(f"\n{name}, {spans}: {len(items)} events, {dict(Counter(phases.tolist()).most_common())}")
        print(f"{'descriptor':28} {'K':>3} {'found':>6} {'NMI':>6} {'purity':>7} {'seed ARI':>9}")
        for descriptor, make in DESCRIPTORS.items():
            with one_thread():
                points = points_of(make(items))
                for k in KS:
                    row = scores(points, phases, k)
                    print(
                        f"{descriptor:28} {k:3d} {row.found:6.1f} {row.nmi:6.3f} {row.purity:7.3f} {row.ari:9.3f}",
                        flush=True,
                    )
                    if descriptor == "ours" and spans == "true spans":
                        reached &= _reached(row, k)
                if descriptor == "ours" and spans == "detected events":
                    print_tail(items, points)
    return reached


def _reached(row: Scores, k: int) -> bool:
    """Print and return whether the floors at this K hold."""
    reached = True
    for measured, (at, floor) in FLOORS.items():
        if k == at:
            value = getattr(row, measured)
            print(f"    floor {measured} ≥ {floor}: {'ok' if value >= floor else f'MISSED with {value:.3f}'}")
            reached &= value >= floor
    return reached


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 when a floor is not reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.action_clusters", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="simulated episodes: recipe.yaml and truth.json")
    reached = [measure(folder) for folder in parser.parse_args(arguments).folders]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
