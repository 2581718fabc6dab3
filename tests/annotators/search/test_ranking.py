"""What fits best comes first, what is not current is not there, and SQL spells as `terms` does."""

from collections.abc import Sequence
from dataclasses import replace

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotators.search.ranking import _SPELT, COLUMNS, EventTable, Filters
from annotators.search.terms import spelt
from schemas.arrow import to_table
from schemas.event import (
    Boundary,
    BoundaryKind,
    Doubt,
    Event,
    Level,
    Outcome,
    Provenance,
    RecoveryKind,
    ReviewState,
    Verb,
)
from schemas.time import Span

NS = 1_000_000_000


def event(name: str, caption: str, **values: object) -> Event:
    def edge(kind: BoundaryKind, frame: int) -> Boundary:
        return Boundary(kind, frame, frame * NS, 0.9, 0.1, ("test",))

    made = Event(
        event_id=f"ev-{name}", episode_id="ep-1", level=Level.ACTION, parent_id="", span=Span(0, 10, 0, 2 * NS, 0, 10),
        start=edge(BoundaryKind.RANGE_EDGE, 0), end=edge(BoundaryKind.MOTION, 10), verb=Verb.OTHER, caption=caption,
        objects=(), arm=None, recovery=RecoveryKind.NONE, static_fraction=0.0, motion=None, needs_vlm=False,
        boundaries_by=Provenance("test"), caption_by=None, review=ReviewState.PROPOSED, revision=0,
    )  # fmt: skip
    return replace(made, **values)  # type: ignore[arg-type]


SLIP = Boundary(BoundaryKind.SLIP, 0, 0, 0.9, 0.1, ("test",))
EVENTS = [
    event("a", "grasp the red cup", verb=Verb.GRASP, objects=("red cup",)),
    event("b", "grasp the red cup again", verb=Verb.GRASP, recovery=RecoveryKind.REGRASP, start=SLIP),
    event("c", "pour tea into the blue cup with great care and much patience", verb=Verb.POUR),
    event("d", "the hand slips", level=Level.SEGMENT, doubts=(Doubt.VERB,), outcome=Outcome.FAILURE),
    event("e", "wait", span=Span(0, 10, 0, 9 * NS, 0, 10), needs_vlm=True),
]


def table(events: Sequence[Event] = EVENTS, current: tuple[str, ...] = ("t1",)) -> EventTable:
    rows = to_table(Event, events).append_column("attempt", pa.array(["t1"] * len(events)))
    episodes = pa.table({"episode_id": ["ep-1", "ep-1"], "source": ["lab", "copy"], "locator": ["l/0", "c/0"]})
    return EventTable(rows.select(COLUMNS).to_reader(), current, episodes)


def ids(query: str, **filters: object) -> list[str]:
    return [hit.event_id[3:] for hit in table().search(query, Filters(**filters), 10)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("re-grasp after slip", ["b", "d"]),
        ("red cup", ["a", "b", "c"]),
        ("pouring", ["c"]),
        ("tea cups", ["c"]),
        ("cup", ["a", "b", "c"]),
        ("failure", ["d"]),
        ("none unknown", []),
        ("kettle", []),
    ],
)
def test_words_find_captions_and_recorded_facts_best_first(query: str, found: list[str]) -> None:
    assert ids(query) == found
    assert table().count(query, Filters()) == len(found)


def test_filters_leave_out_and_need_no_words() -> None:
    assert ids("", level=Level.SEGMENT) == ["d"]
    assert ids("", verb=Verb.GRASP, recovery=RecoveryKind.NONE) == ["a"]
    assert ids("", doubtful=True) == ["d", "e"]
    assert ids("", min_s=5.0) == ["e"]
    assert table().count("cup", Filters(verb=Verb.GRASP)) == 2
    assert ids("cup", max_s=1.0) == []
    assert ids("cup", source="copy") == ["a", "b", "c"], "the first of two sources that list an episode"
    assert ids("cup", source="lab") == []


def test_an_event_is_found_once_and_only_while_it_is_current() -> None:
    hits = table().search("tea", Filters(), None)
    assert [(hit.source, hit.locator, hit.end_s) for hit in hits] == [("copy", "c/0", 2.0)]
    assert table(current=("t2",)).search("tea", Filters(), None) == []


def test_rare_words_count_more_and_the_limit_is_kept() -> None:
    hits = table().search("red tea cup", Filters(), 2)
    assert len(hits) == 2
    assert hits[0].score > hits[1].score > 0


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=30))
def test_sql_finds_every_word_that_terms_would_spell(text: str) -> None:
    row = duckdb.execute(f"SELECT {_SPELT.format('?')}", [text]).fetchone()
    assert row is not None
    if text.isascii() and "_" not in text and "-" not in text and "'" not in text:
        assert str(row[0]).split() == spelt(text).split()
    assert str(row[0]).startswith(" ")
    assert str(row[0]).endswith(" ")
