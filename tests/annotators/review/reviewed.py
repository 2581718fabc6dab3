"""Documents on which people have worked, with the log of it, and the trees that come of that."""

import random
from collections.abc import Sequence

from annotators.caption import caption
from annotators.review.accepted import review_of
from annotators.review.document import Document, boundary_key, label_key
from annotators.review.from_tree import document_of
from annotators.review.log import LogEntry, MarkMode, Status
from annotators.review.operation import (
    Change,
    Decide,
    Merge,
    Move,
    Operation,
    OperationError,
    Rank,
    Relabel,
    Split,
    applied,
    change_of,
)
from annotators.segment import segment
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import Arm
from schemas.event import Event, Level, ReviewState, Verb
from schemas.recipe import SegmentSpec
from schemas.recipe_caption import TemplateCaption
from schemas.review import Review
from tests.annotators.recordings import EPISODE_ID, Recording, all_kept, synthetic


def grasping() -> Recording:
    """Two arms; one drops what it holds."""
    return synthetic(make_trajectory(1, {Arm.RIGHT: (Variant.SLIP,), Arm.LEFT: (Variant.PLAIN,)}))


def under_review(recording: Recording) -> Document:
    tree = caption(recording.tree(), recording.episode, TemplateCaption())
    return document_of(EPISODE_ID, len(recording.episode.master.clock), tree)


def frames(events: Sequence[Event], level: Level) -> set[tuple[int, int]]:
    return {(event.span.frame_start, event.span.frame_end) for event in events if event.level is level}


class Session:
    """A document and its log, without a store."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.log: list[LogEntry] = []

    def does(self, *operations: Operation, actor: str = "ann") -> "Session":
        for operation in operations:
            self.takes(change_of(self.document, operation), operation.kind, actor)
        return self

    def takes(self, change: Change, kind: str, actor: str) -> "Session":
        rev = len(self.log) + 1
        self.document = applied(self.document, change)
        entry = LogEntry(
            op_id=f"op-{rev}",
            episode_id=self.document.episode_id,
            rev=rev,
            base_rev=rev - 1,
            actor=actor,
            at_ns=rev,
            kind=kind,
            refers_to="",
            payload={},
            change=change,
            status=Status.APPLIED,
            media_sha256="",
            frame_verified=True,
            mark_mode=MarkMode.PAUSED,
            previous_sha256="",
        )
        self.log.append(entry)
        return self

    def review(self) -> Review:
        found = review_of(self.document, self.log)
        assert found is not None
        return found


def again(recording: Recording, review: Review | None, spec: SegmentSpec | None = None) -> list[Event]:
    """The tree that `segment` makes with what people said."""
    episode = recording.episode
    return segment(
        episode,
        recording.actions,
        (),
        all_kept(episode),
        recording.calibration,
        spec=spec or SegmentSpec(),
        people=review,
    )


def wandered(session: Session, seed: int, n: int, actor: str = "ann") -> Session:
    """A person who does ``n`` things at random; what makes no sense is refused and costs nothing."""
    rng = random.Random(seed)
    for number in range(n):
        document = session.document
        order = document.in_order()
        name, edge = rng.choice(order)
        level = rng.choice(list(Level))
        near = edge.frame + rng.choice([-40, -12, -6, -2, 1, 3, 7, 25])
        operation: Operation = rng.choice(
            [
                Move(boundary_id=name, frame=near),
                Split(boundary_id=f"{actor}-{seed:04d}-{number:04d}", frame=near, rank=rng.randrange(4)),
                Merge(boundary_id=name, keep=rng.choice(["left", "right"])),
                Rank(boundary_id=name, rank=rng.randrange(4)),
                Relabel(level=level, boundary_id=name, caption=f"said {number}", verb=Verb.WIPE, objects=("cup",)),
                Decide(entity=boundary_key(name), state=ReviewState.ACCEPTED),
                Decide(entity=label_key(level, name), state=rng.choice(list(ReviewState))),
            ]
        )
        try:
            session.does(operation, actor=actor)
        except OperationError:
            continue
    return session
