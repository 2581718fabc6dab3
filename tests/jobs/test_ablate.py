"""Ablations: cells trained once, judged on the same scenes, kept when complete, and told honestly."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from jobs.ablate import ablate, cells_of, config_of, plans_of, rows_of
from jobs.ablate_arms import BASE
from jobs.ablate_plan import tokens_of
from jobs.ablate_write import PAGE, ROWS, SUMMARY, write_ablation
from jobs.cli import app
from pipeline.errors import JoineryError
from schemas.recipe_ablate import AblateSpec
from tests.jobs.ablation import ONE_LEVEL, PointsJudge, small
from tests.jobs.test_ablate_plan import shards
from trainer.model.wam import build

__all__ = ["shards"]
CHUNKS = "windows=chunk_majority"


def trained_at(out: Path) -> dict[str, int]:
    """When each cell's log was written last."""
    return {path.parent.parent.name: path.stat().st_mtime_ns for path in out.glob("cells/*/run/log.jsonl")}


@pytest.fixture(scope="module")
def done(shards: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[AblateSpec, Path]:
    """A whole ablation, killed in the midst of its third cell's episodes and taken up again; nobody may change it."""
    spec, out = small(shards), tmp_path_factory.mktemp("ablate")
    with pytest.raises(KeyboardInterrupt):
        ablate(spec, out, PointsJudge(killed_after=5))
    before = trained_at(out)
    assert len(before) == 3
    judge = PointsJudge()
    found = ablate(spec, out, judge)
    assert judge.judged == [f"{name}, {seed}" for seed in (2, 4) for name in (BASE, CHUNKS)], "two cells were complete"
    assert {name: at for name, at in trained_at(out).items() if name in before} == before, "none was trained again"
    write_ablation(spec, found, out, "ss-made")
    return spec, out


def test_every_cell_has_the_same_scenes_and_equal_tokens(done: tuple[AblateSpec, Path]) -> None:
    spec, out = done
    found = ablate(spec, out, PointsJudge(killed_after=0))  # nothing is left to judge
    scenes = {(one.cell.arm.name, one.cell.seed): [row.scene for row in one.rows] for one in found}
    for seed in spec.seeds:
        assert scenes[BASE, seed] == scenes[CHUNKS, seed]
    assert len({scene for listed in scenes.values() for scene in listed}) == 6
    for cell, plan in plans_of(spec, out):
        assert spec.tokens - 768 < sum(tokens_of(plan)) <= spec.tokens, cell
        assert plan.chapter(0).spec.seed == cell.seed


def test_arms_of_a_seed_start_from_the_same_weights(shards: str) -> None:
    spec = small(shards)
    for seed in spec.seeds:
        configs = {config_of(spec, cell.seed).digest for cell in cells_of(spec) if cell.seed == seed}
        assert len(configs) == 1
    one, other = (dict(build(config_of(spec, seed).model, seed).named_parameters()) for seed in (0, 2))
    assert any((one[name] != other[name]).any() for name in one)


def test_what_changes_costs_itself_and_no_more(done: tuple[AblateSpec, Path], shards: str, tmp_path: Path) -> None:
    spec, out = done
    before = trained_at(out)
    judge = PointsJudge()
    ablate(small(shards, judged={"simulator": "points", "episodes": 1, "limit_s": 1.0}), out, judge)
    assert (len(judge.judged), trained_at(out)) == (6, before), "judged anew, and not trained"
    factors = {"windows": ["event_suffix", "chunk_majority"], **ONE_LEVEL, "jitter_frames": [0, 2]}
    judge = PointsJudge()
    ablate(small(shards, factors=factors), out, judge)
    assert judge.judged == [f"jitter_frames=2, {seed}" for seed in spec.seeds]


def test_what_is_left_is_a_row_per_episode_a_summary_and_one_page(done: tuple[AblateSpec, Path]) -> None:
    spec, out = done
    rows = pq.read_table(out / ROWS).to_pylist()
    assert len(rows) == 2 * 3 * 2
    assert set(rows[0]) >= {"arm", "seed", "episode", "progress"}
    summary = json.loads((out / SUMMARY).read_text())
    assert [arm["arm"] for arm in summary["arms"]] == [BASE, CHUNKS]
    assert summary["settings"]["config"] == "tiny"
    assert set(summary["t19"]) == {f"base less {CHUNKS}"}
    assert summary["t19"][f"base less {CHUNKS}"]["not_worse_by_5"] in {True, False}
    mean = sum(row["progress"] for row in rows if row["arm"] == BASE) / 6
    assert summary["arms"][0]["progress"]["mean"] == pytest.approx(mean)
    page = (out / PAGE).read_text()
    assert "a hint and not a result" in " ".join(page.split())
    assert page.count("<svg") == 2
    assert "http" not in page.replace("http://www.w3.org", "")
    again = rows_of(ablate(spec, out, PointsJudge(killed_after=0)))
    assert [row.progress for row in again] == [row["progress"] for row in rows]


def test_a_wrong_file_ends_the_command_with_its_problems(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("ablate: 1\nshards: s\nseeds: [1]\n", encoding="utf-8")
    ended = CliRunner().invoke(app, ["ablate", str(tmp_path / "a.yaml"), "--out", str(tmp_path / "out")])
    assert ended.exit_code == 2
    assert "a.yaml:3: seeds: found 1 different seeds, expected 3 or more" in ended.output
    assert not (tmp_path / "out").exists()


def test_a_configuration_that_is_none_is_named(shards: str, tmp_path: Path) -> None:
    with pytest.raises(JoineryError, match=r"config huge: no such configuration; there are .*tiny"):
        ablate(small(shards, config="huge"), tmp_path, PointsJudge())
