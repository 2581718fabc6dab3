"""``joinery score --truth human``: the machine against what people finished, whatever was exported meanwhile."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from annotators.review.agenda import AgendaSpec, Stratum
from annotators.review.agenda_table import AgendaTable
from annotators.review.leases import Leases
from annotators.review.operation import Merge
from jobs.cli import app
from jobs.run import RunResult, run_recipe
from schemas.event import Level
from schemas.recipe_file import LoadedRecipe
from tests.jobs.reviews import Reviewed, under_review
from tests.jobs.runs import Silent


@pytest.fixture
def reviewed(reference: tuple[RunResult, LoadedRecipe], corpus: Path, tmp_path: Path) -> Reviewed:
    found = under_review(reference[1], corpus, tmp_path)
    with closing(found.store()) as store:
        agenda = AgendaTable(store.database)
        agenda.settle(AgendaSpec(audit_share=0.5, overlap_share=0.0, seed=2))
        agenda.add((episode, 0.0) for episode in store.episodes())
    return found


def scored(reviewed: Reviewed, *words: str) -> Result:
    command = ["score", str(reviewed.recipe), "--truth", "human", *words]
    return CliRunner().invoke(app, command, catch_exceptions=False)


def boundaries(report: dict[str, Any]) -> tuple[int, int, float]:
    """True and predicted ones of the only group, and the F1 within a tenth of a second."""
    (group,) = report["groups"]
    assert group["episodes"] == 1
    ours = next(system for system in group["systems"] if system["name"] == "joinery")
    return group["true"], group["predicted"], ours["metrics"]["f1@0.1"]["estimate"]


@pytest.mark.slow
def test_the_machine_is_scored_against_people_even_after_it_took_their_word(reviewed: Reviewed) -> None:
    assert "nobody has finished any episode of the audit" in scored(reviewed).stderr
    with closing(reviewed.store()) as store:
        items = AgendaTable(store.database).items()
        leases = Leases(store.database)
        lanes = {item.episode_id: list(store.document(item.episode_id)[1].lane(Level.ACTION)) for item in items}
        audit = next(i for i in items if i.stratum is Stratum.AUDIT and len(lanes[i.episode_id]) > 3)
        risk = next(i for i in items if i.stratum is Stratum.RISK and len(lanes[i.episode_id]) > 3)
        for item in (audit, risk):
            leases.renew(item.episode_id, "ann", 0)
            leases.finish(item.episode_id, "ann")
        document = store.document(audit.episode_id)[1]
    n = sum(not edge.pinned and edge.rank <= Level.ACTION.depth for edge in document.boundaries.values())
    assert boundaries(json.loads(scored(reviewed, "--json").stdout)) == (n, n, 1.0)
    joined = lanes[audit.episode_id][1]
    reviewed.says(audit.episode_id, Merge(boundary_id=joined.start_id))
    after = scored(reviewed, "--json")
    assert boundaries(json.loads(after.stdout)) == (n - 1, n, pytest.approx(2 * (n - 1) / (2 * n - 1)))
    export = CliRunner().invoke(app, ["review", "export", str(reviewed.recipe)], catch_exceptions=False)
    assert export.exit_code == 0
    assert run_recipe(reviewed.load(), Silent()).succeeded
    assert scored(reviewed, "--json").stdout == after.stdout
    everything = json.loads(scored(reviewed, "--stratum", "all", "--json").stdout)
    assert sum(group["episodes"] for group in everything["groups"]) == 2
