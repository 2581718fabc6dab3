"""What became of what people said about an episode, as findings for ``joinery why``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas.episode import Episode
from schemas.event import Event
from schemas.finding import Finding, Verdict
from schemas.review import Review, ReviewedEvent


def usable(review: Review | None, episode: Episode) -> Review | None:
    """The review if it is about as many pictures as the recording has now; else nobody can say what it means."""
    return review if review is not None and review.n_frames == episode.master.n_frames else None


def withheld(episode: Episode, review: Review) -> Finding:
    """People took the whole episode out."""
    return _finding(episode, "withheld", f"people took it out: {review.left_out}", Verdict.DROP)


def told_of_people(episode: Episode, review: Review | None, events: Sequence[Event]) -> Iterator[Finding]:
    """How much of the review stands, and every event of it that does not."""
    if review is None:
        return
    if usable(review, episode) is None:
        found = f"people saw {review.n_frames} pictures, the recording has {episode.master.n_frames}"
        yield _finding(episode, "review_of_other_pictures", f"{found}; what they said is not used: review it again")
        return
    lost = _lost(review, events)
    n = len(review.events)
    yield _finding(episode, "review", f"{n - len(lost)} of {n} events that people spoke of stand as they said")
    for said in lost:
        name = f"{said.level} of frames [{said.frame_start}, {said.frame_end})"
        where = episode.master.clock.edge_ns(said.frame_start), episode.master.clock.edge_ns(said.frame_end)
        why = "cleaning trimmed it or no control row lies in it"
        yield _finding(episode, "review_left_out", f"people's {name} is no event as it was: {why}", span=where)


def _lost(review: Review, events: Sequence[Event]) -> list[ReviewedEvent]:
    made = {(event.level, event.span.frame_start, event.span.frame_end) for event in events}
    return [said for said in review.events if (said.level, said.frame_start, said.frame_end) not in made]


def _finding(
    episode: Episode, check: str, message: str, verdict: Verdict = Verdict.KEEP, span: tuple[int, int] | None = None
) -> Finding:
    return Finding(
        subject=episode.episode_id,
        source=episode.source,
        stage="segment",
        check=check,
        verdict=verdict,
        message=f"{episode.locator}: {message}",
        start_ns=None if span is None else span[0],
        end_ns=None if span is None else span[1],
    )
