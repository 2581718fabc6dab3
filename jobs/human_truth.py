"""What people hold for true: ``joinery score --truth human``.

Documents of episodes that somebody has finished, of the audit unless told otherwise: the rest of the queue holds the
episodes the machine doubted, and a score over those says how well doubts are chosen. People say where boundaries are
and what happens between them, not of which physical kind they are, so the typed scores stay empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from annotators.review.document import Document
from jobs.review_finished import CHUNK, Finished
from jobs.review_folder import existing_reviews
from pipeline.errors import JoineryError
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.episode import Episode
from schemas.event import BoundaryKind, Level, ReviewState
from schemas.time import NS_PER_S
from schemas.truth import TrueMark, TruePart, Truth, TruthEpisode

HUMAN = "human"
WITHOUT_PEOPLE = "review.use=false"
"""The machine is scored as it was without people: with their boundaries in its tree it would agree perfectly."""


def human_truth(workspace: Workspace, ledger: Ledger, folder: Path, level: Level, *, everything: bool) -> Truth:
    """What people say of one level. Raises JoineryError when nobody has finished any, StoreError without reviews."""
    with closing(existing_reviews(folder)) as store:
        finished = list(Finished(store).truths(everything=everything))
    entries = tuple(_entries(workspace, ledger, finished, level))
    if not entries:
        which = "episode" if everything else "episode of the audit; --stratum all takes all that is finished"
        raise JoineryError(f"{folder}: nobody has finished any {which}")
    return Truth(truth=1, kinds=(), episodes=entries)


def _entries(
    workspace: Workspace, ledger: Ledger, finished: list[tuple[str, str, Document]], level: Level
) -> Iterator[TruthEpisode]:
    done = dict(ledger.done_attempts("ingest"))
    there = [one for one in finished if one[0] in done]
    for i in range(0, len(there), CHUNK):
        chunk = there[i : i + CHUNK]
        rows = workspace.read(Episode, sorted({done[episode_id] for episode_id, _, _ in chunk}))
        for episode_id, annotator, document in chunk:
            yield _entry(rows[done[episode_id]][0], annotator, document, level)


def _entry(episode: Episode, annotator: str, document: Document, level: Level) -> TruthEpisode:
    clock = episode.master.clock
    cuts = [edge.frame for _, edge in document.in_order() if edge.rank <= level.depth and not edge.pinned]
    spans = [
        span for span in document.lane(level) if span.label is not None and span.label.state is not ReviewState.REJECTED
    ]
    return TruthEpisode(
        source=episode.source,
        locator=episode.locator,
        rate_hz=episode.master.n_frames / (episode.master.end_ns / NS_PER_S),
        n_frames=episode.master.n_frames,
        instruction=episode.instruction,
        annotator=annotator,
        boundaries=tuple(TrueMark(kind=BoundaryKind.ANNOTATION, t_ns=clock.edge_ns(frame)) for frame in cuts),
        phases=tuple(
            TruePart(
                phase=str(span.label.verb),
                arm=span.label.arm,
                start_ns=clock.edge_ns(span.frame_start),
                end_ns=clock.edge_ns(span.frame_end),
            )
            for span in spans
            if span.label is not None
        ),
    )
