"""Meanings of columns come from the docstrings under the fields."""

from pipeline.cards.columns import meaning
from pipeline.cards.tables import RECORDS
from schemas.arrow import schema_of
from schemas.shard_tables import EpisodeEntry


def test_a_field_says_what_stands_under_it_or_its_own_name() -> None:
    assert meaning(EpisodeEntry, "offset_ns") == "Added to every action time."
    assert meaning(EpisodeEntry, "n_samples") == "N samples."
    assert meaning(EpisodeEntry).startswith("A row of ``episodes.parquet``")


def test_every_column_of_every_table_has_one() -> None:
    assert all(meaning(record, name) for record in RECORDS.values() for name in schema_of(record).names)
