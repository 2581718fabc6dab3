"""A track: the spans of one name that say one kind of thing, and who made them.

`Episode.annotations` is a flat list in the source's own words. People's spans are the same record; only their
proposer differs, and it decides who stands when both speak of the same moment: human before source before machine.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from schemas.episode import SourceSpan, SpanMeaning
from schemas.event import Provenance

HUMAN, SOURCE = "human", "source"
RANK = (HUMAN, SOURCE)
"""Who outranks whom; detectors come last."""


@dataclass(frozen=True)
class Track:
    """Spans in time order; their texts are never changed."""

    name: str
    meaning: SpanMeaning
    spans: tuple[SourceSpan, ...]
    proposer: str = SOURCE

    @property
    def provenance(self) -> Provenance:
        """How events made of it are signed; the track's name stands where a model's would."""
        return Provenance(proposer=self.proposer, model=self.name)

    @property
    def detector(self) -> str:
        """How boundaries placed by it are signed."""
        return f"{self.proposer}:{self.name}"


def tracks_of(spans: Iterable[SourceSpan], proposer: str = SOURCE) -> list[Track]:
    """Spans grouped by name and meaning; one column may hold several (who steers: a policy, a person)."""
    groups: dict[tuple[str, SpanMeaning], list[SourceSpan]] = defaultdict(list)
    for span in spans:
        groups[span.track, span.meaning].append(span)
    return [
        Track(name, meaning, tuple(sorted(found, key=lambda s: (s.start_ns, s.end_ns, s.text))), proposer)
        for (name, meaning), found in sorted(groups.items())
    ]
