"""The queue as a terminal shows it."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from annotators.review.agenda import AgendaSpec
from annotators.review.leases import LEASE_NS, Leases
from jobs.cli import app
from jobs.review_queue import queue
from jobs.review_serve import import_reviews
from jobs.run import RunResult
from pipeline.errors import StoreError
from schemas.recipe_file import LoadedRecipe
from tests.jobs.reviews import Reviewed, under_review

NOW_NS = 10**18


@pytest.fixture
def reviewed(reference: tuple[RunResult, LoadedRecipe], corpus: Path, tmp_path: Path) -> Reviewed:
    """A run taken under review as `joinery review import` does it, in a folder of its own."""
    made = under_review(reference[1], corpus, tmp_path)
    folder = tmp_path / "queue"
    import_reviews(made.load().recipe, folder, (), AgendaSpec(audit_share=0.0))
    return replace(made, folder=folder)


def test_the_most_doubtful_come_first_and_states_follow_who_is_at_work(reviewed: Reviewed) -> None:
    first, second, *_ = [line.episode_id for line in queue(reviewed.folder, NOW_NS)]
    with closing(reviewed.store()) as store:
        leases = Leases(store.database)
        leases.renew(first, "ann", NOW_NS)
        leases.finish(first, "ann")
        leases.renew(second, "bob", NOW_NS)
    lines = queue(reviewed.folder, NOW_NS)
    assert [line.risk for line in lines] == sorted((line.risk for line in lines), reverse=True)
    assert [(line.episode_id, line.state) for line in lines[:3]] == [
        (first, "done"), (second, "taken"), (lines[2].episode_id, "open"),
    ]  # fmt: skip
    assert (lines[0].finished_by, lines[1].at_work) == (("ann",), ("bob",))
    assert queue(reviewed.folder, NOW_NS + LEASE_NS)[1].state == "open"


def test_the_command_prints_so_many_and_json_all(reviewed: Reviewed) -> None:
    words = ["review", "queue", str(reviewed.recipe), "--folder", str(reviewed.folder)]
    printed = CliRunner().invoke(app, [*words, "--limit", "2"], catch_exceptions=False).stdout
    everything = json.loads(CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False).stdout)
    n = len(everything)
    assert f"{n} of {n} episodes to review, the first 2 are shown" in printed
    assert everything[0]["episode_id"][:12] in printed
    assert everything[2]["episode_id"][:12] not in printed


def test_without_reviews_it_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="joinery review import"):
        queue(tmp_path, NOW_NS)
