"""Copies under other names through the whole river: made ones, and the real sample that holds its episodes twice."""

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from benchmarks.duplicates import SUFFIX, Score, measure, recipe_with_copies
from jobs.cli import app
from jobs.run import run_recipe
from schemas.recipe_file import load_recipe
from tests.jobs.runs import Silent
from tests.pipeline.sources.written import rlds as written

REAL = Path(__file__).resolve().parents[2] / "recipes" / "real.yaml"


def told(recipe: Path, *command: str) -> Any:
    """What a command says in JSON."""
    name, *rest = command
    result = CliRunner().invoke(app, [name, str(recipe), *rest, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


# -- made copies -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Score]:
    """A source and its copy: pictures half as large and compressed anew, tasks in other words."""
    recipe = recipe_with_copies(corpus, tmp_path_factory.mktemp("copies"), ["umi"])
    return recipe, measure(recipe)


def test_planted_copies_are_found_and_nothing_else(planted: tuple[Path, Score]) -> None:
    score = planted[1]
    assert score.n_planted >= 1
    assert (score.recall, score.precision, score.n_across) == (1.0, 1.0, 0)
    assert score.n_left_out == score.n_copied_events > 0
    assert score.n_others_left_out == 0


def test_the_command_lists_each_with_what_is_kept(planted: tuple[Path, Score]) -> None:
    found = told(planted[0], "duplicates")
    pairs = [pair for pair in found["pairs"] if pair["same_recording"]]
    assert {frozenset((pair["source"], pair["kept_source"])) for pair in pairs} == {frozenset(("umi", "umi" + SUFFIX))}
    assert all(pair["locator"] == pair["kept_locator"] and pair["path_m"] < 0.001 for pair in pairs)
    assert found["n_left_out"] == planted[1].n_left_out
    shown = CliRunner().invoke(app, ["duplicates", str(planted[0])], catch_exceptions=False).stdout
    assert f"{len(pairs)} recorded once and written twice" in " ".join(shown.split())


def test_why_and_the_data_card_tell_of_them(planted: tuple[Path, Score]) -> None:
    findings = [finding for finding in told(planted[0], "why")["findings"] if finding["check"] == "cross_source"]
    assert len(findings) == planted[1].n_planted
    assert all("is the same recording as" in finding["message"] for finding in findings)
    (card,) = planted[0].parent.glob("workspace/shards/ss-*/facts.json")
    left = json.loads(card.read_text(encoding="utf-8"))["left_out"]
    assert sum(group["n_events"] for group in left["groups"] if group["reason"] == "copy") == planted[1].n_left_out
    assert left["n_recordings_twice"] == planted[1].n_planted


# -- real copies -------------------------------------------------------------------------------------------------------


AS_THEY_ARE = 5
"""Records of the second source that stay equal to the byte; the others are converted."""


@pytest.fixture(scope="module")
def bridge_twice(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe, already run, with both splits of the BridgeData sample as two sources, one of them converted anew."""
    folder = tmp_path_factory.mktemp("bridge")
    there, out = real / written.BRIDGE / "1.0.0", folder / "bridge_val" / "1.0.0"
    out.mkdir(parents=True)
    for name in ("dataset_info.json", "features.json"):
        shutil.copyfile(there / name, out / name)
    (val,) = there.glob("*-val.*")
    records = list(written.records_in(val))
    changed = [*records[:AS_THEY_ARE], *map(converted, records[AS_THEY_ARE:])]
    (out / val.name).write_bytes(b"".join(map(written.framed, changed)))
    data = yaml.safe_load(REAL.read_text(encoding="utf-8"))
    (bridge,) = (source for source in data["sources"] if source["name"] == "bridge")
    sources = [
        {**bridge, "path": str(real / written.BRIDGE), "splits": ["train"]},
        {**bridge, "path": str(folder / "bridge_val"), "name": "bridge_val", "splits": ["val"]},
    ]
    recipe = {"joinery": 1, "workspace": {"url": str(folder / "workspace")}, "sources": sources}
    recipe |= {"registry": str(REAL.with_name("real_sources.yaml")), "run": {"executor": "inline"}}
    path = folder / "bridge.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    assert run_recipe(load_recipe(path, []), Silent()).succeeded
    return path


def converted(record: bytes) -> bytes:
    """A record with other words, and pictures compressed anew."""
    example = written.Example.FromString(record)
    for name, feature in example.features.feature.items():
        values = feature.bytes_list.value
        if "image" in name and len(values) and values[0].startswith(b"\xff\xd8"):
            pictures = [cv2.imdecode(np.frombuffer(value, np.uint8), cv2.IMREAD_COLOR) for value in values]
            values[:] = [cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes() for p in pictures]
        elif "language_instruction" in name:
            values[:] = [b"please " + value for value in values]
    return bytes(example.SerializeToString(deterministic=True))


@pytest.mark.slow
def test_the_real_episodes_that_come_twice_are_listed_whether_bytes_or_films_are_equal(bridge_twice: Path) -> None:
    found = told(bridge_twice, "duplicates")
    assert len(found["same_bytes"]) == AS_THEY_ARE
    assert {(same["source"], same["kept_source"]) for same in found["same_bytes"]} == {("bridge_val", "bridge")}
    whole = [pair for pair in found["pairs"] if pair["same_recording"]]
    assert len({pair["episode_id"] for pair in whole}) == 25 - AS_THEY_ARE
    assert {frozenset((pair["source"], pair["kept_source"])) for pair in whole} == {frozenset(("bridge", "bridge_val"))}
    assert all(pair["path_m"] is None or pair["path_m"] < 1e-4 for pair in whole)


@pytest.mark.slow
def test_the_real_pairs_are_on_one_side_and_told(bridge_twice: Path) -> None:
    found = told(bridge_twice, "duplicates")
    splits = found["splits"]
    assert all(splits[pair["episode_id"]] == splits[pair["kept_id"]] for pair in found["pairs"])
    findings = told(bridge_twice, "why")["findings"]
    assert sum(finding["check"] == "cross_source" for finding in findings) >= 25 - AS_THEY_ARE
