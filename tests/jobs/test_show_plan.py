"""What people are told of a compiled plan, and what machines are."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from clustering.load_plan.compile import Compiled, append, compile_plan
from clustering.load_plan.draft import Target
from jobs.show_plan import compiled
from pipeline.blobs import Blobs
from tests.clustering.load_plan.made import SPEC, made_corpus


@pytest.fixture
def longer(tmp_path: Path) -> Compiled:
    """A plan with a past."""
    corpus, out = made_corpus([30, 12, 5]), Blobs(str(tmp_path))
    compile_plan(out, corpus, SPEC, Target(steps=20))
    return append(out, corpus, SPEC.model_copy(update={"order": "stride"}), Target(steps=30), from_step=10)


def said(made: Compiled) -> str:
    out = Console(file=io.StringIO(), width=200)
    compiled(out, made, "plans/first", as_json=False)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_people_see_how_long_full_even_and_true_it_is(longer: Compiled) -> None:
    text, realised = said(longer), longer.realised
    assert "30 of 4 packs of 300 tokens" in text
    assert "47 in 3" in text
    assert f"{realised.utilisation:.2%}" in text
    assert f"{realised.cell_deviation:.3f} (promised < 2)" in text
    assert f"{max(realised.imbalances):.3f} (2 ranks)" in text
    assert longer.header.plan_hash in text


def test_people_see_what_the_plan_was_before(longer: Compiled) -> None:
    (older,) = longer.header.history
    assert f"{older.plan_hash[:16]}  20 steps, 10 kept; load.order: strict → stride" in said(longer)


def test_machines_get_one_document(longer: Compiled, capsys: pytest.CaptureFixture[str]) -> None:
    compiled(Console(), longer, "plans/first", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["plan_hash"] == longer.header.plan_hash
    assert found["windows"]["event"] + found["windows"]["suffix"] == found["new_draws"] < found["n_draws"]
    assert found["chapters"] == 2
