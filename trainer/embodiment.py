"""A body the model was trained on: what must be known of it to turn observations into examples and back.

Found in the shard set when training starts and kept in every checkpoint, so that a checkpoint acts without the shards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from pipeline.loader.reader import ShardSet
from pipeline.loader.sample import EventSample
from pipeline.loader.stats import ActionStats
from schemas.array import Floats, Ints

_COLUMNS = ("mean_20", "std_20", "q01_20", "q99_20", "state_mean_20", "state_std_20")
_KNOWN = ("known_20", "state_known_20")


@dataclass(frozen=True, eq=False)
class Embodiment:
    """One body, with its rates, its cameras and its statistics."""

    group: str
    """Under which name of ``stats.json`` its actions are counted."""
    cameras: tuple[str, ...]
    """Master view first, as the model was shown them."""
    fps: float
    """Of the master view as recorded."""
    control_hz: float
    """Action rows per second."""
    durations_s: Mapping[str, float]
    """Median length of its events per verb: what a planner without anything better says."""
    stats: ActionStats

    def to_json(self) -> dict[str, Any]:
        """Plain values; `embodiment_from` reads them."""
        stats: dict[str, Any] = {name: [float(x) for x in getattr(self.stats, name)] for name in _COLUMNS}
        stats |= {name: [bool(x) for x in getattr(self.stats, name)] for name in _KNOWN}
        return {
            "group": self.group,
            "cameras": list(self.cameras),
            "fps": self.fps,
            "control_hz": self.control_hz,
            "durations_s": dict(self.durations_s),
            "stats": stats,
        }


def embodiment_from(values: Mapping[str, Any]) -> Embodiment:
    """The inverse of `Embodiment.to_json`. Raises KeyError for what is missing."""
    stats = values["stats"]

    def column(name: str) -> Floats:
        return np.array(stats[name], np.float32)

    statistics = ActionStats(
        embodiment=values["group"],
        mean_20=column("mean_20"),
        std_20=column("std_20"),
        q01_20=column("q01_20"),
        q99_20=column("q99_20"),
        state_mean_20=column("state_mean_20"),
        state_std_20=column("state_std_20"),
        known_20=np.array(stats["known_20"], np.bool_),
        state_known_20=np.array(stats["state_known_20"], np.bool_),
    )
    return Embodiment(
        group=values["group"],
        cameras=tuple(values["cameras"]),
        fps=float(values["fps"]),
        control_hz=float(values["control_hz"]),
        durations_s=dict(values["durations_s"]),
        stats=statistics,
    )


def embodiments_of(shards: ShardSet, split: str, max_views: int) -> tuple[Embodiment, ...]:
    """Every body of a split that has statistics, by name.

    Which body a source has, and its rates, are read from an event of each; durations from the manifest, of all events.
    """
    all_stats = shards.all_stats()
    if not all_stats or not shards.n_samples(split):
        return ()
    manifest = shards.manifest(split, ["source", "verb", "start_ns", "end_ns"]).to_pydict()
    seen: dict[str, EventSample] = {}
    sources: dict[str, set[str]] = {}
    firsts, rest = _first_of_each(manifest["source"])
    for t in chain(firsts, rest):
        if t not in firsts and seen.keys() >= all_stats.keys():
            break
        sample = shards.read(split, t)
        if sample.statistics_group in all_stats and _has_rates(sample):
            seen.setdefault(sample.statistics_group, sample)
            sources.setdefault(sample.statistics_group, set()).add(manifest["source"][t])
    return tuple(
        _embodiment(seen[group], all_stats[group], median_durations(manifest, sources[group]), max_views)
        for group in sorted(seen)
    )


def embodiment_of(sample: EventSample, stats: ActionStats, max_views: int) -> Embodiment:
    """From one event alone, whose length is the only one known."""
    seconds = (sample.span.end_ns - sample.span.start_ns) / 1e9
    return _embodiment(sample, stats, {"": seconds}, max_views)


def _embodiment(
    sample: EventSample, stats: ActionStats, durations_s: Mapping[str, float], max_views: int
) -> Embodiment:
    assert sample.action_times_ns is not None
    return Embodiment(
        group=sample.statistics_group,
        cameras=tuple(sample.views)[:max_views],
        fps=_rate(sample.view_times_ns[sample.master_view]),
        control_hz=_rate(sample.action_times_ns),
        durations_s=durations_s,
        stats=stats,
    )


def _rate(times_ns: Ints) -> float:
    """Rows per second by the median step, which a gap does not move."""
    return float(1e9 / np.median(np.diff(times_ns)))


def _has_rates(sample: EventSample) -> bool:
    return sample.action_times_ns is not None and len(sample.action_times_ns) > 1 and sample.n_frames > 1


def _first_of_each(sources: Sequence[str]) -> tuple[list[int], list[int]]:
    """The first row of every source, and all other rows."""
    first = sorted({source: t for t, source in reversed(list(enumerate(sources)))}.values())
    return first, sorted(set(range(len(sources))) - set(first))


def median_durations(manifest: Mapping[str, Sequence[Any]], sources: set[str]) -> dict[str, float]:
    """Median seconds per verb of the events of these sources; under "" of all of them."""
    found: dict[str, list[float]] = {"": []}
    rows = zip(manifest["source"], manifest["verb"], manifest["start_ns"], manifest["end_ns"], strict=True)
    for source, verb, start_ns, end_ns in rows:
        if source in sources:
            for name in {"", verb}:
                found.setdefault(name, []).append((end_ns - start_ns) / 1e9)
    return {verb: float(np.median(seconds)) for verb, seconds in sorted(found.items())}
