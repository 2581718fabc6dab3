"""Whether a card and its tables tell the truth about the set they lie in: everything is counted again and compared.

Nothing typed, rounded or forged gets through: the tables are held against the tars' own records, the facts against the
tables, and every text against the facts. Each problem is a sentence with the file, the place, what it says and what the
set's files give.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import islice, zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa
import yaml

from pipeline.blobs import Blobs
from pipeline.cards.count import CARD_VERSION, count
from pipeline.cards.folder import CARD_SOURCE, CROISSANT, FACTS, PAGE, PLAN, README, SetFiles, set_files
from pipeline.cards.papers import told
from pipeline.cards.rows import Row, rows
from schemas.data_card_file import CardErrors, parse_card

MOST = 20
"""Of one file; one wrong table makes most numbers wrong."""
UNREADABLE = (OSError, KeyError, ValueError, TypeError, AttributeError, duckdb.Error, pa.ArrowException, yaml.YAMLError)
"""What reading and counting damaged files raises."""
_LONGEST = 160

Said: TypeAlias = Mapping[str, Any]
NOTHING: Said = MappingProxyType({})

_STRAYS = """
    SELECT 'episodes.parquet: no row for ' || episode_id || ', of which the manifest has samples' AS problem
        FROM (SELECT DISTINCT episode_id FROM manifest) ANTI JOIN episodes USING (episode_id)
    UNION ALL SELECT 'episodes.parquet: ' || episode_id || ' says ' || e.n_samples || ' samples, the manifest has '
        || coalesce(m.n, 0)
        FROM episodes e LEFT JOIN (SELECT episode_id, count(*) AS n FROM manifest GROUP BY 1) m USING (episode_id)
        WHERE e.n_samples IS DISTINCT FROM coalesce(m.n, 0)
    UNION ALL SELECT DISTINCT 'manifest.parquet: samples of ' || episode_id || ' say licence ' || m.licence
        || ' and source ' || m.source || ', episodes.parquet ' || e.licence || ' and ' || e.source
        FROM manifest m JOIN episodes e USING (episode_id) WHERE m.licence <> e.licence OR m.source <> e.source
    UNION ALL SELECT 'sources.parquet: no row for ' || source || ', of which there are episodes'
        FROM (SELECT DISTINCT source FROM episodes) ANTI JOIN sources USING (source)
    UNION ALL SELECT DISTINCT 'events.parquet: ' || event_id || ' is ' || e.verb || ' from ' || e.start_ns || ' to '
        || e.end_ns || ' ns, the manifest says ' || m.verb || ' from ' || m.start_ns || ' to ' || m.end_ns
        FROM manifest m JOIN events e USING (event_id)
        WHERE m.verb <> e.verb OR m.start_ns <> e.start_ns OR m.end_ns <> e.end_ns
    UNION ALL SELECT 'events.parquet: no row for ' || event_id || ', which is a sample'
        FROM (SELECT DISTINCT event_id FROM manifest) ANTI JOIN events USING (event_id)
    UNION ALL SELECT DISTINCT 'events.parquet: ' || event_id || ' is of ' || episode_id
        || ', which episodes.parquet has not'
        FROM events ANTI JOIN episodes USING (episode_id)
    UNION ALL SELECT 'left_out.parquet: ' || event_id || ' is left out and a sample all the same'
        FROM left_out SEMI JOIN manifest USING (event_id)
    ORDER BY problem"""


def card_problems(blobs: Blobs, folder: str, episodes: Said = NOTHING, events: Said = NOTHING) -> Iterator[str]:
    """Everything about the card of a published set that its own files do not bear out.

    ``episodes`` and ``events`` are what samples say of them (`episode_of`, level, parent, caption and verb), where
    somebody has read the tars.
    """
    try:
        of = set_files(blobs, folder)
        card = parse_card(blobs.read(f"{folder}/{CARD_SOURCE}").decode("utf-8"), CARD_SOURCE, Path())
        strays = rows(of.query, _STRAYS)
        facts = json.loads(json.dumps(count(of, card)))
        stated = json.loads(blobs.read(f"{folder}/{FACTS}"))
    except CardErrors as errors:
        yield from errors.problems
        return
    except UNREADABLE as error:
        said = " ".join(str(error).split())
        yield f"{FACTS}: cannot be counted again ({type(error).__name__}: {said}); a file is damaged or missing"
        return
    yield from islice((str(row["problem"]) for row in strays), MOST)
    yield from islice(table_problems(of, episodes, events), MOST)
    realised = {name: facts["balance"][name] for name in ("max_row_deviation", "max_cell_deviation")}
    yield from differences(PLAN, of.plan.get("realised"), realised, "realised")
    yield from islice(differences(FACTS, stated, facts), MOST)
    if isinstance(stated, dict) and stated.get("card_version") == CARD_VERSION:
        yield from _text_problems(blobs, folder, told(of, card, facts))


def _text_problems(blobs: Blobs, folder: str, texts: Mapping[str, str]) -> Iterator[str]:
    """Texts of another version of Joinery may use other words; those of this one must be the same to the letter."""
    for name in (README, PAGE):
        yield from islice(_line_problems(name, _text(blobs, f"{folder}/{name}"), texts[name]), MOST)
    try:
        described = json.loads(_text(blobs, f"{folder}/{CROISSANT}"))
    except ValueError as error:
        yield f"{CROISSANT}: is not JSON: {error}"
        return
    yield from islice(differences(CROISSANT, described, json.loads(texts[CROISSANT])), MOST)


def _text(blobs: Blobs, path: str) -> str:
    return blobs.read(path).decode("utf-8", "replace") if blobs.exists(path) else ""


def _line_problems(name: str, found: str, expected: str) -> Iterator[str]:
    for number, (says, gives) in enumerate(zip_longest(found.splitlines(), expected.splitlines()), 1):
        if says != gives:
            yield f"{name}: line {number} says {_short(says)}, the set's files give {_short(gives)}"


def differences(where: str, found: Any, expected: Any, at: str = "") -> Iterator[str]:
    """One sentence per value that is not what it should be, with the way to it."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in sorted({*found, *expected}):
            path = f"{at}.{key}" if at else key
            if key not in found:
                yield f"{where}: {path} is missing, the set's files give {_short(expected[key])}"
            elif key not in expected:
                yield f"{where}: {path} says {_short(found[key])}, there should be no such key"
            else:
                yield from differences(where, found[key], expected[key], path)
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for place, (says, gives) in enumerate(zip(found, expected, strict=True)):
            yield from differences(where, says, gives, f"{at}[{place}]")
    elif found != expected or type(found) is not type(expected):
        yield f"{where}: {at or 'the whole'} says {_short(found)}, the set's files give {_short(expected)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


# -- tables against tars ---------------------------------------------------------------------------------------------

_OF_EPISODE = ("source", "dataset", "locator", "embodiment", "protocol", "instruction", "licence", "consent",
               "action_kind", "sync", "offset_ns")  # fmt: skip
_OF_EVENT = ("level", "parent_id", "caption", "verb")


def episode_of(record: Said) -> tuple[Any, ...]:
    """What an ``event.json`` says about its episode, in the order of `_OF_EPISODE`."""
    lineage, sync = record["lineage"], record["sync"]
    said = {**lineage, **{key: record[key] for key in ("instruction", "licence", "consent", "action_kind")}}
    said |= {"sync": sync["verdict"], "offset_ns": sync["offset_ns"]}
    return tuple(said[key] for key in _OF_EPISODE)


def table_problems(of: SetFiles, episodes: Said, events: Said) -> Iterator[str]:
    """Rows of both tables that differ from what the samples say of the same episode or event."""
    for name, key, columns, said in (
        ("episodes", "episode_id", _OF_EPISODE, episodes),
        ("events", "event_id", _OF_EVENT, events),
    ):
        for row in _stream(of, f"SELECT {key}, {', '.join(columns)} FROM {name}"):
            told_of = said.get(row[key])
            if told_of is None:
                continue
            for column, says in zip(columns, told_of, strict=True):
                if row[column] != says:
                    found = f"{name}.parquet: {row[key]} says {column} {_short(row[column])}"
                    yield f"{found}, event.json of its samples {_short(says)}"


def _stream(of: SetFiles, query: str) -> Iterator[Row]:
    for batch in of.query.sql(query).to_arrow_reader(10_000):
        yield from batch.to_pylist()
