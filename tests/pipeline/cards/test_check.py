"""A card that disagrees with its files is found out, however well its digests were forged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.blobs import Blobs
from pipeline.cards.check import card_problems, differences
from pipeline.cards.count import CARD_VERSION
from pipeline.shards.verify import verify
from tests.pipeline.cards.conftest import problems, rewrite


def change_json(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def constant(table: pa.Table, column: str, value: str) -> pa.Table:
    place = table.schema.get_field_index(column)
    return table.set_column(place, table.schema.field(place), pa.array([value] * len(table)))


def test_a_set_as_published_agrees(copy: Path) -> None:
    assert problems(copy) == []


@pytest.mark.parametrize(
    ("way", "value"),
    [
        (("splits", "train", "n_samples"), 13),
        (("levels", "action", "length_ns", "p50"), 1),
        (("licences", "by_licence", 0, "licence"), "MIT"),
        (("vocabulary", "verbs", "gini"), 0.5),
        (("balance", "kkt_residual"), 0.0),
        (("content_sha256",), "0" * 64),
        (("episodes", "duration_ns"), 8_000_000_000.0),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_a_changed_number_is_named_with_what_it_should_be(copy: Path, way: tuple[Any, ...], value: object) -> None:
    content = json.loads((copy / "facts.json").read_text())
    at = content
    for key in way[:-1]:
        at = at[key]
    right, at[way[-1]] = at[way[-1]], value
    (copy / "facts.json").write_text(json.dumps(content))
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in way).removeprefix(".")
    assert problems(copy) == [
        f"facts.json: {path} says {json.dumps(value)}, the set's files give {json.dumps(right)}",
    ]


def test_a_number_that_is_missing_or_made_up_is_named(copy: Path) -> None:
    def change(facts: dict[str, Any]) -> None:
        del facts["n_bytes"]
        facts["quality"] = 1.0

    change_json(copy / "facts.json", change)
    first, second = problems(copy)
    assert first.startswith("facts.json: n_bytes is missing, the set's files give ")
    assert second == "facts.json: quality says 1.0, there should be no such key"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("README.md", "| train | 12 | 12 |", "| train | 13 | 12 |"),
        ("README.md", "num_examples: 12", "num_examples: 13"),
        ("card.html", '<td class="n">12</td>', '<td class="n">13</td>'),
    ],
)
def test_a_number_in_the_texts_is_held_against_the_files(copy: Path, name: str, old: str, new: str) -> None:
    text = (copy / name).read_text()
    assert old in text
    (copy / name).write_text(text.replace(old, new, 1))
    (found,) = problems(copy)
    assert found.startswith(f"{name}: line ")
    assert "13" in found.partition("the set's files give")[0]
    assert "12" in found.partition("the set's files give")[2]


def test_a_digest_in_croissant_is_held_against_the_files(copy: Path) -> None:
    def change(croissant: dict[str, Any]) -> None:
        croissant["distribution"][0]["sha256"] = "0" * 64

    change_json(copy / "croissant.json", change)
    (found,) = problems(copy)
    assert found.startswith('croissant.json: distribution[0].sha256 says "0000')


def test_a_missing_text_is_named(copy: Path) -> None:
    (copy / "README.md").unlink()
    assert problems(copy)[0].startswith("README.md: line 1 says nothing, the set's files give")


def test_a_licence_changed_in_the_table_alone_is_caught_by_the_manifest(copy: Path) -> None:
    rewrite(copy / "episodes.parquet", lambda table: constant(table, "licence", "MIT"))
    found = problems(copy)
    assert "manifest.parquet: samples of ep-00000000000000000000000000000000 say licence CC-BY-4.0" in found[0]
    assert any(problem.startswith("facts.json: licences.by_licence") for problem in found)


def test_a_licence_changed_in_both_tables_is_caught_by_the_tars(copy: Path) -> None:
    for name in ("episodes.parquet", "manifest.parquet"):
        rewrite(copy / name, lambda table: constant(table, "licence", "MIT"))
    found = verify(Blobs(str(copy.parents[1])), f"shards/{copy.name}").problems
    assert any("event.json says licence 'CC-BY-4.0', the manifest 'MIT'" in problem for problem in found)
    assert any('says licence "MIT", event.json of its samples "CC-BY-4.0"' in problem for problem in found)


def test_a_caption_changed_in_the_table_of_events_is_caught_by_the_tars(copy: Path) -> None:
    rewrite(copy / "events.parquet", lambda table: constant(table, "caption", "nothing happens"))
    found = verify(Blobs(str(copy.parents[1])), f"shards/{copy.name}").problems
    assert any('says caption "nothing happens", event.json of its samples' in problem for problem in found)


def test_rows_that_are_gone_are_missed(copy: Path) -> None:
    rewrite(copy / "episodes.parquet", lambda table: table.slice(1))
    assert any("episodes.parquet: no row for ep-00000000" in problem for problem in problems(copy))


def test_events_that_are_gone_are_missed(copy: Path) -> None:
    rewrite(copy / "events.parquet", lambda table: table.filter(pc.not_equal(table.column("level"), "action")))
    assert any(problem.startswith("events.parquet: no row for ev-") for problem in problems(copy))


@pytest.mark.parametrize(
    "name", ["sources", "episodes", "events", "findings", "left_out", "copies", "manifest"], ids=str
)
def test_a_dropped_column_is_named(copy: Path, name: str) -> None:
    column = {"copies": "same_recording", "left_out": "reason", "findings": "check"}.get(name, "source")
    column = "verb" if name == "events" else column
    rewrite(copy / f"{name}.parquet", lambda table: table.drop_columns([column]))
    (found,) = problems(copy)
    assert found.startswith("facts.json: cannot be counted again (BinderException")
    assert f'"{column}"' in found


def test_one_byte_of_a_table_is_enough(copy: Path) -> None:
    data = bytearray((copy / "episodes.parquet").read_bytes())
    data[-6] ^= 0xFF  # of the footer's length
    (copy / "episodes.parquet").write_bytes(data)
    (found,) = problems(copy)
    assert found.startswith("facts.json: cannot be counted again")
    whole = verify(Blobs(str(copy.parents[1])), f"shards/{copy.name}").problems
    assert any("episodes.parquet: its SHA-256 is not the one in set.json" in problem for problem in whole)


def test_a_card_that_is_none_is_named_with_its_line(copy: Path) -> None:
    (copy / "card.yaml").write_text("card: 1\ntitel: x\n")
    assert problems(copy) == ["card.yaml:2: titel: unknown key; did you mean 'title'?"]


def test_a_card_changed_after_the_fact_disagrees_with_what_was_made_of_it(copy: Path) -> None:
    (copy / "card.yaml").write_text((copy / "card.yaml").read_text().replace("someone", "somebody else"))
    assert any(problem.startswith("README.md: line") for problem in problems(copy))


def test_older_words_are_let_be_but_not_older_numbers(copy: Path) -> None:
    change_json(copy / "facts.json", lambda facts: facts.update(card_version=0))
    (copy / "README.md").write_text("in other words")
    assert problems(copy) == [f"facts.json: card_version says 0, the set's files give {CARD_VERSION}"]


def test_differences_tell_numbers_from_flags() -> None:
    assert list(differences("f", {"a": 1}, {"a": True})) == ["f: a says 1, the set's files give true"]
    assert list(differences("f", [1, 2], [1])) == ["f: the whole says [1, 2], the set's files give [1]"]
    assert list(differences("f", {"a": [1.0]}, {"a": [1.0]})) == []


def test_nothing_is_said_twice_of_thousands(copy: Path) -> None:
    change_json(copy / "facts.json", lambda facts: [facts.pop(key) for key in list(facts)] and None)
    assert len(problems(copy)) <= 20


def test_object_stores_are_read_the_same_way(copy: Path) -> None:
    assert list(card_problems(Blobs(f"file://{copy.parent}"), copy.name)) == []
