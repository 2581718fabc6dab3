"""Which records have a table in a workspace, under what name, with which columns.

A new record that stages write is one line in `TABLES`; one that only the coordinator writes is one in `LEDGERS`.
"""

from collections.abc import Mapping

import pyarrow as pa

from schemas import arrow
from schemas.calibration import Calibration
from schemas.cluster import Assignment, ClusterDrift, ClusterModel, Embedding, FittedEvents, Membership
from schemas.cost import BatchCost, StageEstimate
from schemas.duplicate import DuplicateEpisodes
from schemas.episode import ActionTrack, Alignment, Episode
from schemas.event import Event
from schemas.filmstrip import Filmstrip, Thumbnail
from schemas.finding import Failure, Finding
from schemas.model_call import ModelCall
from schemas.outline import Outline
from schemas.plan import Draw, DrawSegment, SamplingPlan
from schemas.run import FileDigest, Run, WorkDone
from schemas.shard import Clip, ShardEntry, ShardFile, ShardSet, ShardStatistics
from schemas.source import EpisodeRef
from schemas.sync import LagCurve, SourceLag

TABLES: Mapping[type, str] = {
    Episode: "episodes",
    ActionTrack: "action_tracks",
    Filmstrip: "filmstrips",
    Thumbnail: "thumbnails",
    Finding: "findings",
    LagCurve: "lag_curves",
    SourceLag: "source_lags",
    Alignment: "alignments",
    Calibration: "calibrations",
    Event: "events",
    Embedding: "embeddings",
    ClusterModel: "cluster_models",
    FittedEvents: "fitted_events",
    ClusterDrift: "cluster_drift",
    Assignment: "assignments",
    Outline: "outlines",
    Membership: "memberships",
    DuplicateEpisodes: "duplicate_episodes",
    SamplingPlan: "sampling_plans",
    Draw: "draws",
    DrawSegment: "draw_segments",
    Clip: "clips",
    ShardFile: "shard_files",
    ShardEntry: "shard_entries",
    ShardStatistics: "shard_statistics",
    ShardSet: "shard_sets",
}
"""Tables that stages write; each row also carries ``work_key`` and ``attempt``."""

LEDGERS: Mapping[type, str] = {
    WorkDone: "work_done",
    Failure: "quarantine",
    Run: "runs",
    EpisodeRef: "episode_refs",
    FileDigest: "file_digests",
    ModelCall: "model_calls",
    BatchCost: "batch_costs",
    StageEstimate: "stage_estimates",
}
"""Tables that the coordinator writes."""

LINEAGE = [pa.field("work_key", pa.string(), nullable=False), pa.field("attempt", pa.string(), nullable=False)]


def table_schema(record: type) -> pa.Schema:
    """The schema a record's table has in the store."""
    schema = arrow.schema_of(record)
    return pa.schema([*schema, *LINEAGE]) if record in TABLES else schema
