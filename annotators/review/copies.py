"""The copies of an episode that several people look at: one for each, so that none sees what another did.

A copy is a document of its own, called ``<episode_id>@<actor>``, with its own log. A blind one starts with the edges of
what cleaning kept and nothing else. The episode's main document stays for adjudication.
"""

from __future__ import annotations

from dataclasses import replace

from annotators.review.agenda import AgendaItem
from annotators.review.caller import Caller
from annotators.review.document import Document, Origin
from annotators.review.refusal import RefusalError
from annotators.review.review import Mode, Review
from annotators.review.role import Role
from annotators.review.store import UnknownEpisodeError
from schemas.event import BoundaryKind, ReviewState


def review_id_of(item: AgendaItem, actor: str) -> str:
    """What this person works on."""
    return f"{item.episode_id}@{actor}" if item.raters > 1 else item.episode_id


def parted(review_id: str) -> tuple[str, str]:
    """Episode and whose copy it is; empty for the main document."""
    episode_id, _, actor = review_id.partition("@")
    return episode_id, actor


def blind_document(document: Document) -> Document:
    """Only what cleaning decided: the edges of kept ranges, as if nobody had thought about what lies between."""
    edges = {
        name: replace(
            edge, rank=0, kind=BoundaryKind.RANGE_EDGE, confidence=1.0, origin=Origin.MACHINE,
            state=ReviewState.PROPOSED,
        )
        for name, edge in document.boundaries.items()
        if edge.pinned
    }  # fmt: skip
    return replace(document, boundaries=edges, labels={})


def open_for(review: Review, review_id: str, caller: Caller) -> AgendaItem:
    """Let somebody at a document, making their copy when it is not there yet.

    Raises RefusalError for another rater's copy and for a main document that would tell a rater what to find, KeyError
    for what is not under review.
    """
    episode_id, owner = parted(review_id)
    item = review.agenda.item(episode_id)
    must_be_in_sight(review, episode_id)
    if owner:
        if owner != caller.actor and not sees_all(review, item, caller):
            raise RefusalError(403, review_id, found=caller.actor, expected=owner, do="open your own copy")
        if item.raters == 1:
            raise UnknownEpisodeError(review_id, "not under review; one person looks at this episode")
        if owner == caller.actor:
            _make(review, item, review_id)
    elif item.raters > 1 and not sees_all(review, item, caller):
        raise RefusalError(
            403, review_id, found=caller.role, expected="an adjudicator who is not rating it",
            do=f"open {review_id_of(item, caller.actor)}",
        )  # fmt: skip
    return item


def must_be_in_sight(review: Review, episode_id: str) -> None:
    """Raises RefusalError for an episode in quarantine."""
    if review.quarantine.holds(episode_id):
        raise RefusalError(410, episode_id, found="in quarantine", do="ask an admin, who may lift it")


def sees_all(review: Review, item: AgendaItem, caller: Caller) -> bool:
    """Whether somebody may see what the machine and the other raters said about an episode of the overlap."""
    if item.raters == 1 or caller.actor in review.leases.finished_by(item.episode_id):
        return True
    if review.access.mode is Mode.SINGLE or not caller.role.covers(Role.ADJUDICATOR):
        return False
    return review_id_of(item, caller.actor) not in review.store.episodes()


def _make(review: Review, item: AgendaItem, review_id: str) -> None:
    if review_id in review.store.episodes():
        return
    document = review.store.at(item.episode_id, 0)
    document = replace(blind_document(document) if item.blind else document, episode_id=review_id)
    review.store.add(document, review.store.media(item.episode_id))
    review.mirror.catch_up()
