"""Who agrees with whom, as a user asks for it."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from annotators.review.agenda import AgendaSpec
from annotators.review.agenda_table import AgendaTable
from annotators.review.document import label_key
from annotators.review.leases import Leases
from annotators.review.operation import Decide, Move
from jobs.cli import app
from jobs.review_agreement import PATH
from jobs.run import RunResult
from schemas.event import Level, ReviewState
from schemas.recipe_file import LoadedRecipe
from tests.jobs.reviews import MEDIA, Reviewed, under_review

EVERYONE = AgendaSpec(audit_share=1.0, overlap_share=0.5, blind_share=0.5)


@pytest.fixture
def reviewed(reference: tuple[RunResult, LoadedRecipe], corpus: Path, tmp_path: Path) -> Reviewed:
    return under_review(reference[1], corpus, tmp_path)


def report(reviewed: Reviewed) -> dict[str, Any]:
    words = ["review", "agreement", str(reviewed.recipe)]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    result = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    written = json.loads((reviewed.folder.parent / PATH).read_text())
    found: dict[str, Any] = json.loads(result.stdout)
    assert written == found
    return found


def test_raters_and_audit_are_told_apart_and_unfinished_work_does_not_count(reviewed: Reviewed) -> None:
    with closing(reviewed.store()) as store:
        agenda, leases = AgendaTable(store.database), Leases(store.database)
        agenda.settle(EVERYONE)
        agenda.add((episode, 0.0) for episode in store.episodes())
        items = agenda.items()
        shared = [item for item in items if item.raters > 1]
        alone = [item for item in items if item.raters == 1]
        assert len(shared) >= 2
        assert len(alone) >= 2
        for item in shared[:2]:
            for actor in ("ann", "bob"):
                copy = f"{item.episode_id}@{actor}"
                store.add(replace(store.imported(item.episode_id), episode_id=copy), MEDIA)
                leases.renew(item.episode_id, actor, 0)
                leases.finish(item.episode_id, actor)
        for item in alone[:2]:
            leases.renew(item.episode_id, "ann", 0)
        leases.finish(alone[0].episode_id, "ann")
        lane = list(store.document(alone[0].episode_id)[1].lane(Level.ACTION))
        copied = next(c for c in (f"{item.episode_id}@bob" for item in shared[:2])
                      if len(list(store.document(c)[1].lane(Level.ACTION))) > 1)  # fmt: skip
        second = list(store.document(copied)[1].lane(Level.ACTION))[1]
        unfinished = next(iter(store.document(alone[1].episode_id)[1].lane(Level.ACTION)))
    reviewed.says(copied, Move(boundary_id=second.start_id, frame=second.frame_start + 1), actor="bob")
    rejected = ReviewState.REJECTED
    reviewed.says(alone[0].episode_id, Decide(entity=label_key(Level.ACTION, lane[0].start_id), state=rejected))
    reviewed.says(alone[1].episode_id, Decide(entity=label_key(Level.ACTION, unfinished.start_id), state=rejected))
    found = report(reviewed)
    action = found["by_level"]["levels"]["action"]
    n_shown = sum(not item.blind for item in shared[:2])
    assert found["shared"] == action["raters"]["all"]["episodes"] == 2
    assert action["raters"]["shown"]["episodes"] == n_shown
    assert action["raters"]["blind"]["episodes"] == 2 - n_shown
    assert action["raters"]["all"]["boundary_f1"]["1 picture"]["mean"] == 1
    assert action["raters"]["all"]["delta_frames"]["1"] == 1
    assert action["raters"]["all"]["machine_boundary_f1"]["1 picture"] == 1
    assert found["audited"] == 1 + n_shown
    events = action["machine"]["events"]
    with closing(reviewed.store()) as store:
        first_raters = [f"{item.episode_id}@ann" for item in shared[:2] if not item.blind]
        n = sum(len(list(store.document(e)[1].lane(Level.ACTION))) for e in [alone[0].episode_id, *first_raters])
    assert (events["n"], events["of"]) == (1, n)
    low, high = events["interval_95"]
    assert 0 < low < 1 / n < high < 1


def test_a_folder_without_any_shared_episode_says_so(reviewed: Reviewed) -> None:
    found = report(reviewed)
    assert (found["shared"], found["audited"]) == (0, 0)
    assert found["by_level"]["levels"]["task"]["machine"]["events"]["share"] is None
