"""The stage contract: a pure function of records to records, and its declaration.

A stage is a module with a function one can read aloud (``segment(episode, actions, …) -> list[Event]``), a small
``run`` that takes its arguments out of a `Bundle`, and a `Stage` value that declares name, version, inputs,
outputs and recipe slice. Stages know nothing about executors, files, retries, progress or each other's code;
`jobs.river` puts them in order. There is no base class and no registry to learn.

    def run(bundle: Bundle, spec: SegmentSpec) -> list[object]:
        return segment(bundle.one(Episode), bundle.optional(ActionTrack), …, spec)

    STAGE = Stage(
        name="segment", version=1, scope=Scope.EPISODE,
        reads=(Read(Episode, "ingest"), …), writes=(Event, Finding),
        recipe_slice=lambda recipe: recipe.segment, run=run,
    )
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from pipeline.blobs import Blobs
from pipeline.files import SourceFiles
from pipeline.sources.reference import common_part
from schemas.recipe import Recipe
from schemas.recipe_vlm import VlmSpec
from schemas.review import Review
from schemas.source import EpisodeRef

R = TypeVar("R")


class Scope(StrEnum):
    """What one item of a stage is."""

    EPISODE = "episode"
    GROUP = "group"
    """All episodes of one dataset and embodiment (`schemas.calibration.calibration_group`)."""
    CORPUS = "corpus"
    SHARD = "shard"


class Match(StrEnum):
    """Which of the upstream's rows an item of shard scope gets."""

    ALL = "all"
    SHARD = "shard"
    """Rows whose ``shard`` is the item: its draws."""
    DRAWN = "drawn"
    """Rows whose ``event_id`` is drawn into the item: clips are large."""


@dataclass(frozen=True)
class Read:
    """An input: the records of this type that this upstream stage wrote for the item.

    Upstream of a wider scope (a group's calibration, the corpus's clusters) is shared by all items it covers;
    upstream of a narrower scope arrives for every member of the item. A shard's members are the episodes its
    draws come from.
    """

    record: type
    stage: str
    match: Match = Match.ALL
    wanted: Callable[[Any], bool] = lambda _spec: True
    """Whether this is an input under this recipe slice; where it is not, the stage is given no such records and its
    work keys do not depend on them."""


@dataclass(frozen=True)
class Bundle:
    """What a stage gets to see of one item.

    ``ref`` is set for stages of episode scope. ``records`` holds the declared inputs by type. Stages of group
    and corpus scope must not assume that their inputs fit in memory: they use ``stream``, which yields lists of
    records batch by batch and can be called again for another pass.
    """

    item: str
    work_key: str = ""
    blobs: Blobs | None = None
    """Where sinks (shard, publish) write; None for stages that only make records."""
    ref: EpisodeRef | None = None
    review: Review | None = None
    """What people said about the episode, for a stage that asks for it."""
    storage: Mapping[str, str] = field(default_factory=dict)
    """Object-store options to open source files with; how to reach them is part of no key."""
    files: SourceFiles | None = None
    """The source's files in a process that must ask for them (`pipeline.sandbox`); None: opened here."""
    records: Mapping[type, Sequence[Any]] = field(default_factory=dict)
    streams: Mapping[type, Callable[[], Iterator[list[Any]]]] = field(default_factory=dict)
    asker: Any = None
    """Whoever answers questions to the model that the stage `asks` (an `annotators.vlm.request.Asker`)."""

    def all(self, record: type[R]) -> Sequence[R]:
        """Every input record of this type; KeyError when the stage did not declare it."""
        if record in self.records:
            return self.records[record]
        return [item for batch in self.streams[record]() for item in batch]

    def one(self, record: type[R]) -> R:
        """The only input record of this type; raises ValueError when there are none or several."""
        found = self.records[record]
        if len(found) != 1:
            raise ValueError(f"{self.item}: found {len(found)} {record.__name__} records, expected exactly 1")
        only: R = found[0]
        return only

    def optional(self, record: type[R]) -> R | None:
        """The only record of this type, or None when there is none."""
        return self.one(record) if self.records[record] else None

    def stream(self, record: type[R]) -> Iterator[list[R]]:
        """Batches of input records of this type, in a fixed order (by item, then as written)."""
        return self.streams[record]()

    def sink(self) -> Blobs:
        """The workspace's blobs; raises ValueError for stages that did not ask for them."""
        if self.blobs is None:
            raise ValueError(f"{self.item}: the stage does not declare `writes_blobs`")
        return self.blobs

    def episode_ref(self) -> EpisodeRef:
        """The item's reference into its source; raises ValueError outside episode scope."""
        if self.ref is None:
            raise ValueError(f"{self.item}: only stages of episode scope have a source reference")
        return self.ref

    def source_files(self) -> SourceFiles:
        """The files of the item's source, where they lie on this run; raises ValueError outside episode scope."""
        ref = self.episode_ref()
        return self.files or SourceFiles(ref.root, dict(self.storage), common_part(ref).follow_links)


@dataclass(frozen=True)
class Question(Generic[R]):
    """What one item has for a model to look at, and what becomes of the answers."""

    inputs: Sequence[Any]
    finish: Callable[[Sequence[Any]], Iterable[R]]
    """Called with one answer per input, in their order; gives the item's records. Keeps no bundle alive."""


class Model(Protocol):
    """What answers the questions of several items at a time: weights in memory, best fed with full batches.

    An answer must depend on its input alone, never on what else was asked with it.
    """

    @property
    def n_at_once(self) -> int:
        """How many inputs to bring together before asking; what one item has beyond that comes too."""
        ...

    def question(self, bundle: Bundle, spec: Any) -> Question[Any]:
        """An item's question; what is wrong with the item is raised here."""
        ...

    def answers(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """One answer per input, in their order; what is raised here is no item's fault."""
        ...


@dataclass(frozen=True)
class Stage:
    """A stage's declaration. ``version`` goes up whenever the same inputs would give other outputs."""

    name: str
    version: int
    scope: Scope
    reads: tuple[Read, ...]
    writes: tuple[type, ...]
    recipe_slice: Callable[[Recipe], BaseModel]
    run: Callable[[Bundle, Any], Iterable[object]]
    """Called as ``run(bundle, recipe_slice(recipe))``; yields records of the types in ``writes``."""
    revision: Callable[[Any], str] = lambda _spec: ""
    """Digest of model weights and prompt texts the slice names; part of the work key."""
    content_keyed: bool = False
    """True: downstream keys follow the output's content, so recomputing to the same result re-runs nothing."""
    reads_source: bool = False
    """True: the stage opens source files; its items carry their `EpisodeRef`."""
    reviewed: Callable[[Recipe], bool] = lambda _recipe: False
    """Whether the stage takes what people said about its episode (`pipeline.revision`). The key of an episode covers
    its own review alone, and that of an episode nobody reviewed is what it would be without any revision."""
    after: tuple[str, ...] = ()
    """Episode stages that must be done for an item although nothing of theirs is read: no part of the work key."""
    asks: Callable[[Any], VlmSpec | None] = lambda _spec: None
    """The model the stage asks under this slice, if any: its items get an asker, and what they ask is counted."""
    at_once: Callable[[Any], int] = lambda _spec: 1
    """How many items a worker may do at a time, in threads: more than one only for a stage that waits for servers."""
    model: Callable[[Any], Model] | None = None
    """Loads what answers for several items at once, and keeps it in the process; `run` then does the same for one."""
    holds_model: Callable[[Any], bool] = lambda _spec: False
    """Whether that takes so long to load that the stage is worth processes of its own, which load it once."""
    on_gpu: Callable[[Any], bool] = lambda _spec: False
    """Whether such a process needs a GPU."""
    check: Callable[[Any], None] = lambda _spec: None
    """Raises JoineryError where what the slice names does not fit together; asked before any process starts."""
    writes_blobs: bool = False
    """True: the stage is a sink; its bundle carries the workspace's `Blobs`."""
    keeps: tuple[type, ...] = ()
    """Records the stage is given back as it last committed them, whatever their inputs were (corpus scope only): what
    was decided once stays decided. The predecessor's work key is then part of its own (`schemas.identity`)."""
    anew: Callable[[Any], bool] = lambda _spec: False
    """Whether a stage that keeps must decide again although something for the same inputs is committed."""
    notes: tuple[type, ...] = ()
    """Records no later stage reads: a content-keyed stage's output key leaves them out."""

    def under(self, recipe: Recipe) -> "Stage":
        """The stage with the inputs alone that it has under this recipe."""
        spec = self.recipe_slice(recipe)
        return replace(self, reads=tuple(read for read in self.reads if read.wanted(spec)))

    @property
    def upstream(self) -> tuple[str, ...]:
        """Names of the stages this one reads, each once, in order of declaration."""
        return tuple(dict.fromkeys(read.stage for read in self.reads))
