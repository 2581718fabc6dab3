"""How far clusters agree with labels, from counts of (cluster, label) alone (clustering.md, Report)."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """Three figures, each 1 where every cluster is one label and every label one cluster."""

    n_events: int
    n_clusters: int
    n_labels: int
    nmi: float
    """Mutual information by the mean of both entropies."""
    purity: float
    """Share of events whose label is the most frequent one of their cluster."""
    ari: float
    """Rand index adjusted for chance (Hubert & Arabie 1985)."""


def agreement(counts: Mapping[tuple[int, str], int]) -> Agreement:
    """Of clusters with labels that occur together so often; nothing counted agrees perfectly."""
    clusters: Counter[int] = Counter()
    labels: Counter[str] = Counter()
    most: dict[int, int] = {}
    for (cluster, label), n in counts.items():
        clusters[cluster] += n
        labels[label] += n
        most[cluster] = max(most.get(cluster, 0), n)
    total = sum(clusters.values())
    if total == 0:
        return Agreement(0, 0, 0, 1.0, 1.0, 1.0)
    joint = _entropy(counts.values(), total)
    h_cluster, h_label = _entropy(clusters.values(), total), _entropy(labels.values(), total)
    mean = (h_cluster + h_label) / 2
    return Agreement(
        n_events=total,
        n_clusters=len(clusters),
        n_labels=len(labels),
        nmi=max(h_cluster + h_label - joint, 0.0) / mean if mean > 0 else 1.0,
        purity=sum(most.values()) / total,
        ari=_adjusted_rand(counts.values(), clusters.values(), labels.values(), total),
    )


def _entropy(counts: Iterable[int], total: int) -> float:
    return -sum(n / total * math.log(n / total) for n in counts if n)


def _adjusted_rand(joint: Iterable[int], clusters: Iterable[int], labels: Iterable[int], total: int) -> float:
    together, by_cluster, by_label = (sum(math.comb(n, 2) for n in counts) for counts in (joint, clusters, labels))
    pairs = math.comb(total, 2)
    by_chance = by_cluster * by_label / pairs if pairs else 0.0
    highest = (by_cluster + by_label) / 2
    return (together - by_chance) / (highest - by_chance) if highest != by_chance else 1.0
