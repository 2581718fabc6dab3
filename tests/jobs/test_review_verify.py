"""``joinery review verify`` as a user calls it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from annotators.review.operation import Move
from annotators.review.store import ReviewStore, Submission
from jobs.cli import app
from jobs.review_folder import FILE
from tests.annotators.review.made import made


@pytest.fixture
def reviewed(tmp_path: Path) -> Path:
    """One episode in which a boundary was moved twice."""
    with closing(ReviewStore(tmp_path / FILE)) as store:
        store.add(made(), "sha")
        for rev, frame in enumerate((110, 112)):
            store.submit(Submission(f"op-{rev}", "ep-1", rev, "ann", Move(boundary_id="b100", frame=frame), "sha"))
    return tmp_path


def verified(recipe: Path, folder: Path, *options: str) -> Result:
    words = ["review", "verify", str(recipe), "--folder", str(folder), *options]
    return CliRunner().invoke(app, words, catch_exceptions=False)


def test_a_whole_log_passes(recipe_file: Path, reviewed: Path) -> None:
    result = verified(recipe_file, reviewed, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"n_episodes": 1, "n_entries": 2, "problems": []}
    assert "1 episodes, 2 entries, 0 problems" in verified(recipe_file, reviewed).stdout


def test_a_log_that_somebody_rewrote_fails(recipe_file: Path, reviewed: Path) -> None:
    with closing(sqlite3.connect(reviewed / FILE)) as sql:
        sql.execute("DROP TRIGGER op_is_so")
        sql.execute("UPDATE op SET actor = 'bob' WHERE op_id = 'op-0'")
        sql.commit()
    result = verified(recipe_file, reviewed)
    assert result.exit_code == 1
    assert "op-1: it does not follow the entry before it" in result.stdout
