"""The recipe: the one input of a run, and the table of contents of what Joinery does.

Every key is typed, unknown keys are errors, and everything that can be checked without opening a recording
is checked here, before any process starts. Each stage reads one section; the digest of that section is part
of its work keys, so changing a section re-runs exactly the stages that read it and what stands on them.
``run`` and ``workspace`` say where and how to compute, never what: they are part of no key.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from schemas.data_card import DataCard
from schemas.licence import admitted
from schemas.recipe_balance import BalanceSpec
from schemas.recipe_caption import CaptionSpec, VlmCaption
from schemas.recipe_clean import CleanSpec
from schemas.recipe_dedup import DedupSpec, SplitSpec
from schemas.recipe_load import LoadSpec
from schemas.recipe_recover import RecoverSpec
from schemas.recipe_review import ReviewSpec
from schemas.recipe_run import Prices
from schemas.recipe_sandbox import SandboxSpec
from schemas.recipe_section import Count, Fraction, Positive, Section, Text, impossible
from schemas.recipe_sources import SourceSpec
from schemas.recipe_vlm import VlmServersSpec
from schemas.time import MIN_EVENT_FRAMES


class WorkspaceSpec(Section):
    """Where everything a run makes is kept."""

    url: Text = Field(description="Local path (relative to the recipe file) or object-store URL such as s3://bucket/x.")
    storage: dict[str, str] = Field(
        default_factory=dict, description="Object-store options: endpoint, region, retry_s. Never credentials."
    )

    @field_validator("storage", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        """Seconds are written as a number, and travel as text like the others."""
        if isinstance(value, dict) and type(value.get("retry_s")) in (int, float):
            return {**value, "retry_s": str(value["retry_s"])}
        return value


# -- stages ----------------------------------------------------------------------------------------------------


class IngestSpec(Section):
    """One decode → filmstrip."""

    thumbnail_hz: Positive = 4.0
    thumbnail_short_side: Annotated[int, Field(ge=32, le=1080)] = 256
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 85
    signal_short_side: Annotated[int, Field(ge=32, le=512)] = 96
    black_luma: Positive = 18.0
    hard_cut_difference: Positive = 30.0


class AlignSpec(CleanSpec):
    """Synchronise, then clean (wall_wm.md §2.2, §2.3); what cleaning measures by stands in `schemas.recipe_clean`."""

    max_lag_s: Annotated[float, Field(ge=0.1, le=5.0)] = Field(
        default=0.75, description="Lags are looked for up to here; ± 0.5 s fits with room."
    )
    tolerance_s: Positive = Field(default=0.03, description="A smaller lag counts as none; estimates are not better.")
    min_correlation: Fraction = Field(default=0.35, description="Weaker evidence proves nothing.")
    min_margin: Fraction = Field(default=0.05, description="How much better the best lag must be than any other.")
    max_sigma_s: Positive = Field(default=0.05, description="A lag that is less certain than this verifies nothing.")
    max_drift_s: Positive = Field(
        default=0.12, description="An episode whose halves differ by more has no one lag, and is rejected."
    )
    min_correlation_to_move: Fraction = Field(default=0.6, description="Correcting needs more than confirming.")
    correct: bool = Field(default=True, description="Move the actions when the evidence is clear; else only report.")
    min_voters: Count = Field(default=4, description="Episodes that must agree before a source speaks for others.")
    min_agreement: Fraction = Field(default=0.75, description="Share of a source's episodes that must not contradict.")
    max_source_sigma_s: Positive = Field(default=0.02, description="A less certain common lag speaks for nobody.")
    joints_may_correct: bool = Field(default=False, description="Whether a vote by joints alone may move actions.")
    on_rejected: Literal["drop", "keep"] = Field(
        default="drop", description="What becomes of episodes whose evidence denies every lag there is to use."
    )
    on_unverified: Literal["keep", "drop_own_clock", "drop"] = Field(
        default="keep", description="What becomes of those that nothing proves, or of those whose rows have own times."
    )


class CalibrateSpec(Section):
    """The range of each gripper signal and the home poses, per dataset and embodiment (events.md K2)."""

    low_percentile: Annotated[float, Field(ge=0, lt=50)] = 0.5
    high_percentile: Annotated[float, Field(gt=50, le=100)] = 99.5
    significant_digits: Annotated[int, Field(ge=1, le=9)] = 2
    min_opening_range: Positive = Field(
        default=0.05, description="Less, in raw units, and the signal is uninformative."
    )
    fingers_open: dict[str, Literal["larger", "smaller"]] = Field(
        default_factory=dict, description="Per embodiment: do larger finger joint values mean a more open hand?"
    )
    min_reset_episodes: Annotated[int, Field(ge=3)] = Field(
        default=10, description="With fewer structured episodes nothing is said about failed resets."
    )
    reset_distance_m: Positive = Field(
        default=0.1, description="A tool that starts nearer to a home pose along each axis was reset."
    )
    reset_distance_ranges: Positive = Field(
        default=0.25, description="The same for robots without poses, in shares of each joint's range."
    )


TrackUse: TypeAlias = Literal["task", "subtask", "action", "inform", "off"]


class SegmentSpec(Section):
    """Where to cut (events.md K1–K4)."""

    rate_hz: Annotated[float, Field(ge=10, le=100)] = 50.0
    smooth_s: Positive = 0.35
    reversal: Fraction = 0.20
    plateau: Fraction = 0.15
    min_hold_s: Positive = 0.2
    lift_m: Positive = 0.01
    descent_speed_m_s: Positive = 0.03
    descent_drop_m: Positive = 0.008
    support_window_s: Positive = 1.5
    retreat_m: Positive = 0.03
    merge_s: Positive = 0.15
    resistance_m: Positive = Field(
        default=0.06, description="Distance from the command, beyond the usual lag, that proves contact."
    )
    max_segment_s: Positive = 2.0
    window_frames: Annotated[int, Field(ge=MIN_EVENT_FRAMES)] | None = Field(
        default=None, description="Segments are windows of so many frames inside each action, not motion primitives."
    )
    max_action_s: Positive = Field(default=12.0, description="A longer span with no physical cut is divided.")
    static_speed: Positive = Field(
        default=0.01, description="m/s (or normalised joint units) below which nothing moves."
    )
    visual_cut: Positive = Field(
        default=0.3, description="Seconds of squared change (Ward) between actions where only pictures say anything."
    )
    visual_subtask: Positive = Field(default=1.0, description="The same between subtasks.")
    on_static: Literal["keep", "trim"] = Field(default="keep", description="What becomes of rests inside kept ranges.")
    max_static_s: Positive = Field(default=2.0, description="Longer stretches in which nothing moves are such rests.")
    annotations: Literal["auto", "off"] = Field(
        default="auto", description="Whether the source's own spans bound and inform the tree, by what they mean."
    )
    tracks: dict[str, TrackUse] = Field(
        default_factory=dict, description="Per track of the source: the level it bounds, or inform, or off."
    )
    on_failed_reset: Literal["keep", "drop"] = Field(
        default="keep", description="Structured episodes that start away from their group's home poses."
    )

    @model_validator(mode="after")
    def _windows_fit(self) -> "SegmentSpec":
        if self.smooth_s * self.rate_hz < 3:
            limit = f"expected 3 samples or more of rate_hz ({self.rate_hz})"
            raise impossible("smooth_s", f"found {self.smooth_s}, {limit}")
        if self.visual_subtask < self.visual_cut:
            limit = f"expected visual_cut ({self.visual_cut}) or more"
            raise impossible("visual_subtask", f"found {self.visual_subtask}, {limit}")
        if self.merge_s >= self.max_segment_s:
            limit = f"expected less than max_segment_s ({self.max_segment_s})"
            raise impossible("merge_s", f"found {self.merge_s}, {limit}")
        return self


class DefaultEncoder(Section):
    """No weights: hashed caption slots and a colour/gradient descriptor (clustering.md)."""

    encoder: Literal["default"] = "default"
    text_dims: Annotated[int, Field(ge=64, le=4096)] = 512


class OpenClipEncoder(Section):
    """An open_clip architecture with a local checkpoint, or with seeded random weights when none is named."""

    encoder: Literal["open_clip"]
    model: str = "ViT-B-32"
    checkpoint: Text | None = Field(default=None, description="Local file, relative to the recipe file.")
    revision: Text | None = Field(default=None, description="The publisher's name for the checkpoint, to be recorded.")
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        default=None, description="The checkpoint's; another file is refused."
    )
    seed: int = Field(default=0, description="Of the random weights without a checkpoint.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto: cuda where the machine that starts the run has it, else cpu."
    )
    dtype: Literal["float32", "bfloat16"] = "float32"
    batch: Count | None = Field(
        default=None, description="Pictures or captions per forward pass. None: 16 on a CPU, 256 on a GPU."
    )

    @model_validator(mode="after")
    def _pins_belong_to_a_checkpoint(self) -> "OpenClipEncoder":
        for key, pin in (("revision", self.revision), ("sha256", self.sha256)):
            if pin is not None and self.checkpoint is None:
                raise impossible(key, f"found {pin!r}, but no checkpoint that it could belong to; name one")
        return self


class EmbedSpec(Section):
    """What an event is compared by: looks and words, and motion."""

    vision_language: Annotated[DefaultEncoder | OpenClipEncoder, Field(discriminator="encoder")] = Field(
        default_factory=DefaultEncoder
    )
    action_points: Annotated[int, Field(ge=8, le=256)] = 32
    action_coefficients: Annotated[int, Field(ge=1, le=32)] = 6
    pseudo_actions: Literal["apart", "together", "ignore"] = Field(
        default="apart", description="Whether motions nobody measured share clusters with measured ones."
    )

    @model_validator(mode="after")
    def _coefficients_exist(self) -> "EmbedSpec":
        if self.action_coefficients > self.action_points:
            found = f"found {self.action_coefficients}"
            raise impossible("action_coefficients", f"{found}, expected at most action_points ({self.action_points})")
        return self


class ClusterSpec(Section):
    """Hierarchical spherical k-means (clustering.md). None: K follows N."""

    seed: int = 0
    k_vision_language: Count | None = None
    k_action: Count | None = None
    projected_dims: Annotated[int, Field(ge=2, le=1024)] = 64
    sample: Count = Field(default=200_000, description="Events the fit looks at, chosen by hash of their id.")
    min_cluster: Count = 20
    min_seed_ari: Fraction = 0.75
    refit: Literal["on_drift", "always", "never"] = Field(
        default="on_drift", description="When clusters that were fitted once are fitted again."
    )
    drift_share: Fraction = Field(
        default=0.05, description="Refit when more of the new events lie beyond the fit's 99th percentile."
    )
    growth: Annotated[float, Field(gt=1)] = Field(
        default=4.0, description="Refit when the corpus has so many times the events of the fit."
    )

    @model_validator(mode="after")
    def _clusters_can_be_filled(self) -> "ClusterSpec":
        for key, k in (("k_vision_language", self.k_vision_language), ("k_action", self.k_action)):
            if k is not None and k * self.min_cluster > self.sample:
                needed = f"{k} clusters of at least min_cluster ({self.min_cluster}) need {k * self.min_cluster} events"
                raise impossible(key, f"{needed}, the sample has {self.sample}; lower one or raise sample")
        return self


class ClipSpec(Section):
    """How an event's video is cut. One encoder setting, one thread: same inputs, same bytes."""

    short_side: Annotated[int, Field(ge=16, le=2160, multiple_of=2)] = 256
    gop: Count = 8
    crf: Annotated[int, Field(ge=0, le=51)] = 22
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = "veryfast"


class ShardSpec(Section):
    """How samples are packed, and what the data card says about them."""

    samples_per_shard: Count = 256
    on_append: Literal["extend", "rewrite"] = Field(
        default="extend", description="Whether new recordings get shards behind the old ones, or all are drawn anew."
    )
    allow: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None, description="Licences and redistribution modes; samples of all others are left out."
    )
    card: DataCard = Field(
        default_factory=DataCard, description="A card.yaml, relative to the recipe file, or its content as a section."
    )


# -- how to run ------------------------------------------------------------------------------------------------


class ExecutorName(StrEnum):
    """The two ways to run the same stages: in this process, or on Ray."""

    INLINE = "inline"
    RAY = "ray"


class LogLevel(StrEnum):
    """How much stands in the log of a run."""

    OFF = "off"
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class RunSpec(Section):
    """How to compute. Part of no work key: results are the same whatever stands here."""

    executor: ExecutorName = ExecutorName.RAY
    ray_address: str | None = Field(default=None, description="None: a local cluster; 'auto' or host:port to join one.")
    workers: Count | None = Field(default=None, description="Concurrent batches. None: one per CPU.")
    batch_items: Count = Field(default=4, description="Items a worker takes at a time.")
    gpu_share: Annotated[float, Field(gt=0, le=8)] = Field(
        default=1.0, description="GPUs per process that holds a model on one; 0.5 lets two share a GPU."
    )
    patience_s: Annotated[float, Field(gt=0)] = Field(
        default=30.0, description="How long a cluster may be without its head, or without a machine for a stage."
    )
    error_budget: Fraction = Field(default=0.05, description="Quarantined share above which a run ends non-zero.")
    vlm: VlmServersSpec | None = Field(default=None, description="Where the model of caption.by is asked.")
    sandbox: SandboxSpec = Field(default_factory=SandboxSpec)
    log_level: LogLevel = Field(default=LogLevel.INFO, description="debug has a line for every result; off: no log.")
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        default=None, description="Serve Prometheus metrics of the run there; 0: at any free port."
    )
    metrics_address: Text = Field(default="127.0.0.1", description="Who may read them: 0.0.0.0 is everybody.")
    prices: Prices | None = Field(default=None, description="What things cost, for `joinery costs` and `plan`.")


class Recipe(Section):
    """Everything a run needs to know."""

    joinery: Literal[1] = Field(description="Version of the recipe language.")
    workspace: WorkspaceSpec
    registry: Text | None = Field(default=None, description="YAML file of source cards by name, beside the built-in.")
    sources: Annotated[list[SourceSpec], Field(min_length=1)]
    ingest: IngestSpec = Field(default_factory=IngestSpec)
    align: AlignSpec = Field(default_factory=AlignSpec)
    calibrate: CalibrateSpec = Field(default_factory=CalibrateSpec)
    review: ReviewSpec = Field(default_factory=ReviewSpec)
    segment: SegmentSpec = Field(default_factory=SegmentSpec)
    caption: CaptionSpec = Field(default_factory=CaptionSpec)
    embed: EmbedSpec = Field(default_factory=EmbedSpec)
    cluster: ClusterSpec = Field(default_factory=ClusterSpec)
    dedup: DedupSpec = Field(default_factory=DedupSpec)
    split: SplitSpec = Field(default_factory=SplitSpec)
    balance: BalanceSpec = Field(default_factory=BalanceSpec)
    clip: ClipSpec = Field(default_factory=ClipSpec)
    shard: ShardSpec = Field(default_factory=ShardSpec)
    load: LoadSpec = Field(default_factory=LoadSpec)
    recover: RecoverSpec = Field(default_factory=RecoverSpec)
    run: RunSpec = Field(default_factory=RunSpec)

    @model_validator(mode="after")
    def _something_is_allowed(self) -> "Recipe":
        cards = [source.card for source in self.sources]
        if not any(admitted(card.licence, card.redistribution, self.shard.allow) for card in cards):
            there = ", ".join(sorted({f"{card.licence!r} ({card.redistribution})" for card in cards}))
            raise impossible("shard.allow", f"lets no source through; there are {there}")
        return self

    @model_validator(mode="after")
    def _holds_together(self) -> "Recipe":
        names = [source.name for source in self.sources]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise impossible(f"sources.{i}.name", f"found {name!r}, the name of sources[{names.index(name)}] too")
        if isinstance(self.caption.by, VlmCaption) != (self.run.vlm is not None):
            found = "nothing" if self.run.vlm is None else "servers, but caption.by asks no model"
            raise impossible("run.vlm", f"found {found}; caption.by method: vlm and run.vlm go together")
        if self.run.vlm and self.run.vlm.start and self.run.executor is ExecutorName.INLINE:
            raise impossible("run.vlm.start", "servers are Ray actors: expected run.executor: ray, or endpoints")
        for name in self.balance.sources:
            if name not in names:
                raise impossible(f"balance.sources.{name}", f"there is no such source, found {', '.join(names)}")
        frames = self.segment.max_segment_s * self.align.min_fps
        if frames < MIN_EVENT_FRAMES:
            at = f"at align.min_fps ({self.align.min_fps}) a segment would have {frames:g} frames"
            raise impossible("segment.max_segment_s", f"{at}, expected at least {MIN_EVENT_FRAMES}; raise either")
        return self
