"""An agenda is drawn once; episodes that come later join without moving those that were there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotators.review.agenda import AgendaSpec, agenda
from annotators.review.agenda_table import AgendaTable
from annotators.review.database import Database
from annotators.review.store import UnknownEpisodeError
from pipeline.errors import StoreError

RISKS = [(f"ep-{number}", number % 7 / 7) for number in range(200)]
SPEC = AgendaSpec(seed=4, audit_share=0.2, overlap_share=0.5)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "review.sqlite")
    yield opened
    opened.close()


def test_however_episodes_come_the_agenda_is_that_of_all_together(database: Database) -> None:
    table = AgendaTable(database)
    table.settle(SPEC)
    for start in (150, 0, 50):
        table.add(RISKS[start : start + 60])
    table.add(RISKS[100:200])
    assert table.items() == agenda(RISKS, SPEC)
    assert AgendaTable(database).items() == agenda(RISKS, SPEC), "after a restart too"
    assert table.item("ep-3") in table.items()
    with pytest.raises(UnknownEpisodeError):
        table.item("ep-none")


def test_another_sample_is_not_drawn_from_the_same_folder(database: Database) -> None:
    table = AgendaTable(database)
    assert table.settle(None) == AgendaSpec()
    with pytest.raises(StoreError, match="drawn"):
        table.settle(SPEC)
    assert table.settle(None) == AgendaSpec()
