"""What models have cost: calls and tokens per run, per source, and for every hour of video.

The rows are `ModelCall`s, one per question. An hour counts the kept video of the episodes somebody asked about, once
however often they were asked about: the figure answers what an hour of such video costs, repeated work included.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from pipeline import align
from pipeline.ledger import Ledger
from pipeline.sql import Sql, in_memory
from pipeline.store import Workspace
from schemas.episode import Alignment
from schemas.model_call import ModelCall
from schemas.source import EpisodeRef

S_PER_HOUR = 3600.0
_SUMS = """
    count(*) FILTER (outcome IN ('answered', 'truncated')) AS calls,
    count(*) FILTER (outcome = 'cached') AS cached,
    count(*) FILTER (outcome IN ('refused', 'unanswered')) AS without_answer,
    coalesce(sum(greatest(attempts - 1, 0)), 0) AS repeated,
    coalesce(sum(prompt_tokens), 0) AS prompt_tokens,
    coalesce(sum(completion_tokens), 0) AS completion_tokens,
    coalesce(sum(seconds), 0) AS seconds
"""


@dataclass(frozen=True)
class Cost:
    """What one run or one source has cost."""

    name: str
    calls: int
    """Questions that were answered by a server."""
    cached: int
    """Questions whose answer was known."""
    without_answer: int
    repeated: int
    """Times a question had to be sent again."""
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    """Waited for answers, added up over all that were in flight."""
    video_hours: float

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def per_hour(self, amount: int) -> float:
        """An amount for every hour of video; 0 where no video is known."""
        return amount / self.video_hours if self.video_hours else 0.0


@dataclass(frozen=True)
class Costs:
    """The ledger of calls, summed up."""

    runs: tuple[Cost, ...]
    """In order of run id, which is the order in time."""
    sources: tuple[Cost, ...]
    """By name, over all runs."""


def costs_so_far(workspace: Workspace, ledger: Ledger) -> Costs:
    """`costs` under the recipe and listing of a ledger."""
    return costs(workspace, ledger.present(Alignment, align.STAGE.name))


def costs(workspace: Workspace, alignments: Iterable[Alignment]) -> Costs:
    """Sums of everything models have been asked in a workspace. ``alignments`` say which video was kept."""
    with in_memory() as sql:
        sql.register("call_rows", workspace.scan(ModelCall))
        sql.execute("CREATE TABLE calls AS SELECT * FROM call_rows")
        if sql.execute("SELECT count(*) FROM calls").fetchall() == [(0,)]:
            return Costs((), ())
        sql.register("ref_rows", workspace.scan(EpisodeRef, columns=["episode_id", "source"]))
        # a recording that is listed twice is done once, for the source that the ledger keeps: the first by name
        sql.execute("CREATE TABLE sources AS SELECT episode_id AS item, min(source) AS source FROM ref_rows GROUP BY 1")
        sql.register("video_rows", _video(alignments))
        sql.execute("CREATE TABLE video AS SELECT item, any_value(hours) AS hours FROM video_rows GROUP BY item")
        return Costs(_summed(sql, "run_id"), _summed(sql, "coalesce(source, '')"))


def _summed(sql: Sql, name: str) -> tuple[Cost, ...]:
    rows = sql.execute(
        f"""WITH named AS (SELECT {name} AS name, calls.*, video.hours FROM calls
                LEFT JOIN sources USING (item) LEFT JOIN video USING (item)),
            sums AS (SELECT name, {_SUMS} FROM named GROUP BY name),
            videos AS (SELECT DISTINCT name, item, hours FROM named),
            hours AS (SELECT name, sum(hours) AS hours FROM videos GROUP BY name)
            SELECT sums.*, coalesce(hours.hours, 0) FROM sums JOIN hours USING (name) ORDER BY name"""  # noqa: S608 - own words
    ).fetchall()
    return tuple(Cost(*row) for row in rows)


def _video(alignments: Iterable[Alignment]) -> pa.Table:
    """Hours of kept video by episode."""
    items, hours = [], []
    for alignment in alignments:
        items.append(alignment.episode_id)
        hours.append(alignment.kept_s / S_PER_HOUR)
    return pa.table({"item": pa.array(items, pa.string()), "hours": pa.array(hours, pa.float64())})
