"""The river: every stage in order. Adding a stage is one import and one line."""

from annotators import caption, segment
from clustering import assign, balance, cluster, dedup, embed, outline, schedule
from pipeline import align, calibrate, cut, ingest, lag, vote
from pipeline.shards import publish, shard
from pipeline.stage import Stage

RIVER: tuple[Stage, ...] = (
    ingest.STAGE,
    lag.STAGE,
    vote.STAGE,
    align.STAGE,
    calibrate.STAGE,
    segment.STAGE,
    caption.STAGE,
    cut.STAGE,
    embed.STAGE,
    cluster.STAGE,
    assign.STAGE,
    outline.STAGE,
    dedup.STAGE,
    balance.STAGE,
    schedule.STAGE,
    shard.STAGE,
    publish.STAGE,
)


def stage_named(name: str) -> Stage:
    """The stage of this name; raises KeyError naming the stages there are."""
    for stage in RIVER:
        if stage.name == name:
            return stage
    raise KeyError(f"no stage {name!r}; there are {[stage.name for stage in RIVER]}")
