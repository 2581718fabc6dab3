"""Grouping spans: one track per name and meaning, whatever the order they come in."""

from annotators.tracks.track import HUMAN, tracks_of
from schemas.episode import SourceSpan, SpanMeaning


def test_a_column_with_two_meanings_is_two_tracks_in_time_order() -> None:
    spans = [
        SourceSpan("mode", 50, 90, "human", SpanMeaning.INTERVENTION),
        SourceSpan("mode", 20, 50, "policy"),
        SourceSpan("mode", 0, 20, "policy"),
    ]
    found = tracks_of(spans)
    assert [(track.name, track.meaning, len(track.spans)) for track in found] == [
        ("mode", SpanMeaning.INTERVENTION, 1),
        ("mode", SpanMeaning.OTHER, 2),
    ]
    assert [span.start_ns for span in found[1].spans] == [0, 20]
    assert found == tracks_of(spans[::-1])


def test_who_made_it_signs_events_and_edges() -> None:
    (track,) = tracks_of([SourceSpan("cuts", 0, 5, "Wipe")], HUMAN)
    assert (track.provenance.proposer, track.provenance.model, track.detector) == ("human", "cuts", "human:cuts")
