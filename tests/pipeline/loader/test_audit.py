"""The audit: what holds is said to hold, and every way to break a promise is noticed and named."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from typer.testing import CliRunner

from jobs.cli import app
from pipeline.blobs import Blobs
from pipeline.loader.audit import audit
from pipeline.loader.audit_ledger import realised
from pipeline.loader.audit_page import audit_lines, audit_page
from pipeline.loader.audit_plan import PREFIX_BOUND, subject_of
from pipeline.loader.audit_report import AuditReport
from pipeline.loader.audit_shares import part_of
from pipeline.loader.catalogue import read_catalogue
from pipeline.loader.consumption import Consumed, ConsumptionLedger, Substitution, read_consumption, read_ledger
from pipeline.loader.locations import read_locations
from pipeline.loader.plan import Arrays, LoadPlan, arrays_digest
from pipeline.loader.plan_loader import PlanLoader
from pipeline.shards.npz import read_npz, write_npz
from schemas.load_plan import HEADER, LoadPlanHeader, chained
from schemas.recipe_load import LoadSpec
from tests.pipeline.loader.conftest import N_EVENTS, N_STEPS
from tests.pipeline.loader.made_shards import write_load_plan, write_set
from tests.pipeline.loader.test_plan_loader import spoil
from tests.pipeline.loader.transforms import ids


def failed(report: AuditReport) -> list[str]:
    return [check.name for check in report.checks if not check.ok]


@pytest.fixture(scope="module")
def ledgers(load_plan: Path, made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two ranks to step 9, then three from the checkpoint at step 6 on."""
    folder = tmp_path_factory.mktemp("run") / "ledger"
    for world, start, stop in ((2, 0, 9), (3, 6, N_STEPS)):
        for rank in range(world):
            options: dict[str, Any] = {"rank": rank, "world": world, "start": start, "transform": ids, "ledger": folder}
            with PlanLoader(str(load_plan), str(made), **options) as loader:
                for step in loader:
                    if step.step == stop - 1:
                        break
    return folder


def test_a_plan_and_an_honest_run_hold(load_plan: Path, made: Path, ledgers: Path) -> None:
    plan = LoadPlan.open(str(load_plan))
    report = audit(plan, ledgers, Blobs(str(made)))
    assert failed(report) == []
    assert report.ok
    assert (report.steps_consumed, report.worlds) == (N_STEPS, {2: 6, 3: N_STEPS - 6})
    assert report.voided == 6, "two ranks had read three steps more than the checkpoint"
    planned, consumed = report.parts
    assert (planned.what, consumed.what) == ("planned", "consumed")
    assert planned.shares == consumed.shares
    assert planned.n_draws == report.n_draws
    assert set(planned.tv) == {
        f"{axis} by {unit}" for axis in ("cell", "source") for unit in ("draws", "tokens", "seconds")
    }


def test_what_was_read_comes_in_the_order_of_the_plan_whichever_rank_read_it(load_plan: Path, ledgers: Path) -> None:
    plan = LoadPlan.open(str(load_plan))
    columns = realised(plan, read_consumption(ledgers)).columns(0)
    planned = [draw for step in range(N_STEPS) for pack in plan.step(step) for draw in pack.draws]
    for name in ("draw", "event", "kind", "n_frames", "n_tokens"):
        assert columns[name].tolist() == [getattr(draw, name) for draw in planned]


def test_without_ledger_and_shards_the_plan_alone_is_audited(load_plan: Path) -> None:
    report = audit(LoadPlan.open(str(load_plan)))
    assert report.ok
    assert report.steps_consumed is None
    assert [part.what for part in report.parts] == ["planned"]
    assert all(share.seconds is None for share in report.parts[0].shares)


def test_shares_are_counted_by_draws_tokens_and_seconds(load_plan: Path, made: Path) -> None:
    plan = LoadPlan.open(str(load_plan))
    catalogue, locations = read_catalogue(Blobs(str(made))), read_locations(Blobs(str(made)))
    of = subject_of(plan, 0, catalogue, locations)
    part = part_of(of, "planned", of.columns)
    assert audit(plan, None, Blobs(str(made))).parts == [part]
    draws = [draw for step in range(N_STEPS) for pack in plan.step(step) for draw in pack.draws]
    cells = [share for share in part.shares if share.axis == "cell"]
    for cell, share in enumerate(cells):
        own = [draw for draw in draws if draw.cell == cell]
        assert (share.n_draws, share.target) == (len(own), 0.25)
        assert share.draws == pytest.approx(len(own) / len(draws))
        assert share.tokens == pytest.approx(sum(draw.n_tokens for draw in own) / sum(draw.n_tokens for draw in draws))
        assert share.seconds == pytest.approx(
            sum(draw.n_frames for draw in own) / sum(draw.n_frames for draw in draws)
        ), "every film here runs at one rate"
    sources = [share for share in part.shares if share.axis == "source"]
    assert [share.label for share in sources] == ["source-0", "source-1", "source-2"]
    assert sum(share.target or 0 for share in sources) == pytest.approx(1)


# -- a plan that breaks its promises -----------------------------------------------------------------------------------


def forged(load_plan: Path, folder: Path, change: Callable[[Arrays], None]) -> LoadPlan:
    """A plan whose arrays were changed and whose hashes were all made right again."""
    shutil.copytree(load_plan, folder)
    header = LoadPlanHeader.model_validate_json((folder / HEADER).read_text())
    (segment,) = header.segments
    arrays = read_npz((folder / segment.file).read_bytes())
    change(arrays)
    (folder / segment.file).write_bytes(write_npz(arrays))
    sha256 = arrays_digest(arrays)
    plan_hash = chained("", header.chapters[0], sha256, segment.n_steps)
    segment = segment.model_copy(update={"sha256": sha256, "chained": plan_hash})
    header = header.model_copy(update={"segments": (segment,), "plan_hash": plan_hash})
    (folder / HEADER).write_text(header.model_dump_json())
    return LoadPlan.open(str(folder))


def twice(arrays: Arrays) -> None:
    arrays["draw"][3] = arrays["draw"][4]


def left_behind(arrays: Arrays) -> None:
    arrays["draw"][-1] += 40


def of_one_cell(arrays: Arrays) -> None:
    events = arrays["event"][arrays["cell"] == 1]
    arrays["event"][: len(arrays["event"]) // 2] = events[0]
    arrays["cell"][: len(arrays["cell"]) // 2] = 1


def other_cell(arrays: Arrays) -> None:
    arrays["event"][2] = arrays["event"][np.flatnonzero(arrays["cell"] != arrays["cell"][2])[0]]


def too_long(arrays: Arrays) -> None:
    arrays["n_frames"][5] += 40


def too_full(arrays: Arrays) -> None:
    arrays["n_tokens"][7] += 100


def one_event(arrays: Arrays) -> None:
    own = np.flatnonzero(arrays["cell"] == 2)
    arrays["event"][own] = arrays["event"][own[0]]


BROKEN: dict[str, tuple[Callable[[Arrays], None], set[str]]] = {
    "a draw twice": (twice, {"every draw once"}),
    "a draw that never comes": (left_behind, {"no draw left behind"}),
    "too much of one cell": (
        of_one_cell,
        {
            "cells at every prefix of draws",
            "cells at every prefix of packs",
            "total variation",
            "events of a cell take turns",
        },
    ),
    "an event of another cell": (other_cell, {"draws are of their cells"}),
    "a window past its event": (too_long, {"windows lie inside events"}),
    "a pack over its budget": (too_full, {"packs fit"}),
    "one event all the time": (one_event, {"events of a cell take turns", "coverage"}),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_plan_that_breaks_a_promise_is_named_even_when_its_hashes_are_right(
    load_plan: Path, tmp_path: Path, how: str
) -> None:
    change, expected = BROKEN[how]
    report = audit(forged(load_plan, tmp_path / "forged", change))
    assert not report.ok
    assert {name.removeprefix("chapter 0: ") for name in failed(report)} >= expected


def test_an_order_that_follows_the_shards_is_named(tmp_path: Path) -> None:
    """Cells that each lie in shards of their own, drawn one after the other."""
    shards = write_set(tmp_path / "set", sorted(range(N_EVENTS), key=lambda event: event % 4), per_shard=15)
    write_load_plan(tmp_path / "plan", shards, 120)
    assert audit(LoadPlan.open(str(tmp_path / "plan")), None, Blobs(str(shards))).ok, "a plan does not look at shards"

    def by_cell(arrays: Arrays) -> None:
        order = np.argsort(arrays["cell"], kind="stable")
        for name in ("event", "cell", "first_frame", "n_frames", "kind"):
            arrays[name] = arrays[name][order]

    report = audit(forged(tmp_path / "plan", tmp_path / "forged", by_cell), None, Blobs(str(shards)))
    assert "chapter 0: no shard-order bias" in failed(report)


def test_another_shard_set_is_named(load_plan: Path, tmp_path: Path) -> None:
    report = audit(LoadPlan.open(str(load_plan)), None, Blobs(str(write_set(tmp_path / "set", range(30)))))
    assert failed(report) == ["chapter 0: of this shard set"]


# -- a run that does not keep to its plan ------------------------------------------------------------------------------


def rewritten(ledgers: Path, folder: Path, plan_hash: str, change: Callable[[int, Consumed], Consumed]) -> Path:
    """Ledgers with other records and a right chain, as a loader with a bug would write them."""
    for path in sorted(ledgers.iterdir()):
        found = read_ledger(path)
        ledger = ConsumptionLedger(folder, plan_hash, found.rank)
        for record in found.records:
            ledger.append(change(found.rank, record))
        ledger.close()
    return folder


def drop(rank: int, record: Consumed) -> Consumed:
    return dataclasses.replace(record, draws=record.draws[1:]) if (rank, record.step) == (1, 4) else record


def double(rank: int, record: Consumed) -> Consumed:
    draws = np.concatenate([record.draws, record.draws[-1:]])
    return dataclasses.replace(record, draws=draws) if (rank, record.step) == (1, 4) else record


def stranger(rank: int, record: Consumed) -> Consumed:
    draws = np.concatenate([record.draws[:-1], [9999]])
    return dataclasses.replace(record, draws=draws) if (rank, record.step) == (1, 4) else record


def turn(rank: int, record: Consumed) -> Consumed:
    return dataclasses.replace(record, draws=record.draws[::-1]) if (rank, record.step) == (1, 4) else record


@pytest.mark.parametrize(
    ("change", "said"),
    [(drop, "1 missing"), (double, "1 read twice"), (stranger, "1 not its own"), (turn, "in another order")],
)
def test_a_run_that_reads_something_else_is_named(
    load_plan: Path, ledgers: Path, tmp_path: Path, change: Callable[[int, Consumed], Consumed], said: str
) -> None:
    plan = LoadPlan.open(str(load_plan))
    report = audit(plan, rewritten(ledgers, tmp_path / "ledger", plan.plan_hash, change))
    assert failed(report) == ["ledger: every planned draw read once, by its rank, in its place"]
    (check,) = (check for check in report.checks if not check.ok)
    assert "step 4, rank 1 of 2" in check.said
    assert said in check.said


def test_a_run_of_another_plan_is_named(load_plan: Path, ledgers: Path, tmp_path: Path) -> None:
    report = audit(
        LoadPlan.open(str(load_plan)), rewritten(ledgers, tmp_path / "ledger", "f" * 64, lambda _, item: item)
    )
    assert failed(report) == ["ledger: of this plan"]


def test_substitutes_of_another_cell_or_too_long_are_named(load_plan: Path, ledgers: Path, tmp_path: Path) -> None:
    plan = LoadPlan.open(str(load_plan))
    cells = plan.events(plan.chapter(0))["cell"].tolist()
    row = cells.index(3)

    def swap(_: int, record: Consumed) -> Consumed:
        refused = (("ev-x", "front.mp4", "checksum"),)
        swaps = tuple(Substitution(draw, row, 0, 0, 6, 9999, refused) for draw in record.draws.tolist())
        return dataclasses.replace(record, substitutions=swaps)

    report = audit(plan, rewritten(ledgers, tmp_path / "ledger", plan.plan_hash, swap))
    assert failed(report) == [
        "ledger, chapter 0: substitutes are of their cells",
        "ledger, chapter 0: substitutes fit",
        "ledger, chapter 0: cells at every prefix of what was read",
    ]


def test_spoiled_views_are_listed_and_cells_keep_their_shares(load_plan: Path, made: Path, tmp_path: Path) -> None:
    spoiled = spoil(made, tmp_path / "copy", {(5, "front.mp4"), (23, "wrist.mp4")})
    with PlanLoader(str(load_plan), str(tmp_path / "copy"), ledger=tmp_path / "ledger", transform=ids) as loader:
        list(loader)
    report = audit(LoadPlan.open(str(load_plan)), tmp_path / "ledger", Blobs(str(made)))
    assert report.ok, failed(report)
    assert set(report.quarantined) == {f"{event} {member} checksum" for event, member in spoiled}
    planned, consumed = report.parts
    assert consumed.tv["cell by draws"] == planned.tv["cell by draws"]
    assert sum(share.substituted for share in consumed.shares if share.axis == "cell") == report.substituted > 0


# -- what people see ---------------------------------------------------------------------------------------------------


def test_the_command_says_it_all_and_its_exit_code_tells(
    load_plan: Path, made: Path, ledgers: Path, tmp_path: Path
) -> None:
    page = tmp_path / "audit.html"
    options = ["--ledger", str(ledgers), "--shards", str(made), "--html", str(page)]
    result = CliRunner().invoke(app, ["audit", str(load_plan), *options])
    assert result.exit_code == 0, result.output
    assert "checks hold" in result.output
    assert "All" in page.read_text()
    found = json.loads(CliRunner().invoke(app, ["audit", str(load_plan), "--json"]).output)
    assert found["ok"]
    assert found["parts"][0]["tv"]["cell by draws"] < 0.05
    forged(load_plan, tmp_path / "forged", twice)
    result = CliRunner().invoke(app, ["audit", str(tmp_path / "forged")])
    assert result.exit_code == 1
    assert "FAIL  chapter 0: every draw once" in result.output
    assert CliRunner().invoke(app, ["audit", str(tmp_path)]).exit_code == 1


def test_names_from_outside_cannot_break_the_page(load_plan: Path) -> None:
    report = audit(LoadPlan.open(str(load_plan)))
    report.quarantined["<script>alert(1)</script> front.mp4 checksum"] = 3
    report.history.append("<b>")
    text = audit_page(report)
    assert "<script>" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;" in text
    assert any("quarantined: 1 members" in line for line in audit_lines(report))


def test_every_order_a_plan_can_have_has_a_bound() -> None:
    assert set(PREFIX_BOUND) == set(get_args(LoadSpec.model_fields["order"].annotation))
