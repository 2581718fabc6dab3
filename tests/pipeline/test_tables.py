"""Every record has one table, and rows of stages say whose attempt they are."""

from pipeline.tables import LEDGERS, TABLES, table_schema


def test_no_two_records_share_a_table() -> None:
    names = [*TABLES.values(), *LEDGERS.values()]
    assert len(set(names)) == len(names)


def test_rows_of_stages_alone_carry_work_key_and_attempt() -> None:
    assert all(table_schema(record).names[-2:] == ["work_key", "attempt"] for record in TABLES)
    assert not any("attempt" in table_schema(record).names[-1:] for record in LEDGERS)
