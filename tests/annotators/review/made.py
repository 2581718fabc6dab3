"""Small documents under review."""

from annotators.review.document import LEVELS, Document, Label, ReviewBoundary, label_key
from schemas.event import BoundaryKind, Verb

CUTS = {0: 0, 100: 2, 160: 3, 200: 1, 260: 2, 300: 0}
"""Frame to rank of the boundaries between the edges."""


def edge(frame: int, rank: int, **values: bool) -> ReviewBoundary:
    return ReviewBoundary(frame, rank, BoundaryKind.GRASP, 0.8, **values)


def made(cuts: dict[int, int] | None = None, episode_id: str = "ep-1") -> Document:
    """An episode kept from its first cut to its last, with a label for every event; ids are ``b<frame>``."""
    cuts = cuts if cuts is not None else CUTS
    first, last = min(cuts), max(cuts)
    boundaries = {f"b{frame}": edge(frame, rank) for frame, rank in cuts.items() if frame not in (first, last)}
    boundaries[f"b{first}"] = edge(first, 0, pinned=True)
    boundaries[f"b{last}"] = edge(last, 0, pinned=True, opens=False)
    plain = Document(episode_id, last, boundaries)
    labels = {
        label_key(level, span.start_id): Label(f"{level} from {span.frame_start}", Verb.MOVE)
        for level in LEVELS
        for span in plain.lane(level)
    }
    return Document(episode_id, last, boundaries, labels)
