"""Counting what a shard set is made of, one pass per record type; memory grows with cells and sources, not events."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from schemas.cluster import NULL_CLUSTER, ClusterModel, Membership
from schemas.duplicate import DuplicateEpisodes
from schemas.episode import Alignment, Episode
from schemas.event import Event
from schemas.finding import Finding
from schemas.plan import CellName, SamplingPlan
from schemas.shard import ShardEntry, ShardFile
from schemas.time import NS_PER_S

CellKey = tuple[int, int]
NS_PER_HOUR = 3600 * NS_PER_S


@dataclass(frozen=True)
class SourceKey:
    """What the card groups episodes by."""

    source: str
    kind: str
    dataset: str
    embodiment: str
    action_kind: str
    licence: str
    consent: str


@dataclass
class SplitFacts:
    """One split as written."""

    n_samples: int = 0
    n_events: int = 0
    """Distinct: an event's first draw has repeat 0."""
    n_bytes: int = 0
    ns: int = 0
    cells: Counter[CellKey] = field(default_factory=Counter)
    parts: Counter[CellName] = field(default_factory=Counter)
    """Cells told apart by source and recovery."""
    sources: Counter[str] = field(default_factory=Counter)
    verbs_by_look: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Distinct events by vision-language cluster and verb."""
    verbs_by_motion: Counter[tuple[int, str]] = field(default_factory=Counter)
    """The same by action cluster, of events that have actions."""


@dataclass(frozen=True)
class CopyFacts:
    """What dedup left out, and for what."""

    n_left_out: int
    """Events."""
    n_recordings: int
    """Whole recordings that are there under another name too."""
    n_across: int
    """Episodes of which another source has all or some."""


@dataclass(frozen=True)
class Facts:
    """Everything the manifest, the plan file and the card state."""

    plan: SamplingPlan
    shards: tuple[ShardFile, ...]
    """By name."""
    splits: dict[str, SplitFacts]
    episodes: Counter[SourceKey]
    episode_ns: Counter[SourceKey]
    levels: Counter[str]
    level_ns: Counter[str]
    captions: Counter[str]
    """Events by who captioned them."""
    needs_vlm: int
    reviews: Counter[str]
    sync: Counter[str]
    findings: Counter[tuple[str, str, str]]
    """(stage, check, verdict)."""
    copies: "CopyFacts"
    clusterings: tuple[ClusterModel, ...]


def split_facts(batches: Iterable[list[ShardEntry]]) -> dict[str, SplitFacts]:
    """Per split, sorted by name."""
    found: dict[str, SplitFacts] = {}
    for batch in batches:
        for entry in batch:
            split = found.setdefault(entry.split, SplitFacts())
            split.n_samples += 1
            split.n_events += entry.repeat == 0
            split.n_bytes += entry.n_bytes
            split.ns += entry.end_ns - entry.start_ns
            split.cells[entry.vision_language, entry.action] += 1
            split.parts[CellName(entry.vision_language, entry.action, entry.source, entry.recovery)] += 1
            split.sources[entry.source] += 1
            if entry.repeat == 0:
                split.verbs_by_look[entry.vision_language, entry.verb] += 1
                split.verbs_by_motion[entry.action, entry.verb] += entry.action != NULL_CLUSTER
    return dict(sorted(found.items()))


def realised_shares(plan: SamplingPlan, split: SplitFacts) -> Callable[[ShardEntry], float]:
    """An entry's share of the split as written: of its cell, told apart by source and recovery where the plan does."""
    by_source = any(cell.source for cell in plan.cells)
    by_recovery = any(cell.recovery is not None for cell in plan.cells)

    def cell_of(of: CellName | ShardEntry) -> CellName:
        source, recovery = of.source if by_source else "", of.recovery if by_recovery else None
        return CellName(of.vision_language, of.action, source, recovery)

    drawn: Counter[CellName] = Counter()
    for part, n in split.parts.items():
        drawn[cell_of(part)] += n
    return lambda entry: drawn[cell_of(entry)] / split.n_samples


def count_episodes(batches: Iterable[list[Episode]]) -> tuple[Counter[SourceKey], Counter[SourceKey]]:
    """Number and recorded nanoseconds of the master view, per `SourceKey`."""
    number: Counter[SourceKey] = Counter()
    ns: Counter[SourceKey] = Counter()
    for batch in batches:
        for episode in batch:
            key = SourceKey(
                episode.source,
                str(episode.kind),
                episode.dataset,
                episode.embodiment,
                str(episode.action_kind),
                episode.licence,
                episode.consent,
            )
            number[key] += 1
            ns[key] += episode.master.end_ns - int(episode.master.times_ns[0]) if episode.cameras else 0
    return number, ns


@dataclass
class EventFacts:
    """What is counted about events of all levels."""

    levels: Counter[str] = field(default_factory=Counter)
    ns: Counter[str] = field(default_factory=Counter)
    captions: Counter[str] = field(default_factory=Counter)
    reviews: Counter[str] = field(default_factory=Counter)
    needs_vlm: int = 0


def count_events(batches: Iterable[list[Event]]) -> EventFacts:
    """Counts over the whole corpus."""
    found = EventFacts()
    for batch in batches:
        for event in batch:
            found.levels[str(event.level)] += 1
            found.ns[str(event.level)] += event.span.end_ns - event.span.start_ns
            by = event.caption_by
            found.captions[" ".join(filter(None, (by.proposer, by.model))) if by else "nobody"] += 1
            found.reviews[str(event.review)] += 1
            found.needs_vlm += event.needs_vlm
    return found


def count_findings(batches: Iterable[list[Finding]]) -> Counter[tuple[str, str, str]]:
    """Findings by (stage, check, verdict)."""
    return Counter((item.stage, item.check, str(item.verdict)) for batch in batches for item in batch)


def count_copies(members: Iterable[list[Membership]], pairs: Iterable[list[DuplicateEpisodes]]) -> CopyFacts:
    """Over the whole corpus."""
    recordings, across = set(), set()
    for batch in pairs:
        recordings |= {pair.episode_id for pair in batch if pair.same_recording}
        across |= {pair.episode_id for pair in batch if pair.crosses_sources}
    return CopyFacts(sum(not item.kept for batch in members for item in batch), len(recordings), len(across))


def count_sync(batches: Iterable[list[Alignment]]) -> Counter[str]:
    """Episodes by sync verdict."""
    return Counter(str(item.verdict) for batch in batches for item in batch)


def deviations(plan: SamplingPlan, train: SplitFacts | None) -> tuple[float, float]:
    """Largest |drawn − planned| at the end of the train split: over vision-language rows, over (look, motion) cells."""
    if train is None:
        return 0.0, 0.0
    cells: dict[CellKey, float] = {}
    for cell in plan.cells:  # a source's and the recoveries' parts of a cell count together
        key = cell.vision_language, cell.action
        cells[key] = cells.get(key, 0.0) + cell.mass
    rows: dict[int, float] = {}
    for (row, action), mass in cells.items():
        rows[row] = rows.get(row, 0.0) + train.cells[row, action] - train.n_samples * mass
    worst = max((abs(train.cells[key] - train.n_samples * mass) for key, mass in cells.items()), default=0.0)
    return max(map(abs, rows.values()), default=0.0), worst
