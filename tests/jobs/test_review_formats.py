"""A round through other tools, as a user takes it."""

import csv
import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from annotators.review.formats.row import rows_of
from annotators.review.operation import Relabel
from jobs.cli import app
from jobs.review import sources
from jobs.review_formats import FORMATS, MANIFEST, recordings, stamped
from jobs.run import RunResult
from pipeline.files import SourceFiles
from pipeline.sources.reference import format_of
from schemas.event import Level, Verb
from schemas.recipe_file import LoadedRecipe
from schemas.source import EpisodeRef
from tests.jobs.reviews import Reviewed, under_review


@pytest.fixture
def reviewed(reference: tuple[RunResult, LoadedRecipe], corpus: Path, tmp_path: Path) -> Reviewed:
    return under_review(reference[1], corpus, tmp_path)


def review(reviewed: Reviewed, verb: str, *words: object) -> Result:
    command = ["review", verb, str(reviewed.recipe), *map(str, words)]
    return CliRunner().invoke(app, command, catch_exceptions=False)


def taken_in(reviewed: Reviewed, file: Path, named: str = "csv") -> dict[str, object]:
    result = review(reviewed, "import-file", file, "--from", named, "--actor", "ann", "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("named", sorted(FORMATS))
def test_what_goes_out_and_comes_back_changes_nothing(reviewed: Reviewed, tmp_path: Path, named: str) -> None:
    out = tmp_path / named
    assert review(reviewed, "export", "--to", named, "--out", out).exit_code == 0
    with closing(reviewed.store()) as store:
        episodes = store.episodes()
    assert len(list(out.iterdir())) == len(episodes) + 1
    file = out / json.loads((out / MANIFEST).read_text())["episodes"][episodes[0]]["file"]
    found = taken_in(reviewed, file, named)
    assert found["episode_id"] == episodes[0]
    assert isinstance(found["rows"], int)
    assert found["rows"] > 0
    if named != "lerobot":  # which has no objects and arms, so its rows say less than the document
        assert (found["changed_rows"], found["applied"], found["refused"]) == (0, 0, [])
    again = review(reviewed, "export", "--to", named, "--out", out)
    assert again.exit_code == 1
    assert "exports replace nothing" in again.stderr


def edited(reviewed: Reviewed, tmp_path: Path) -> tuple[str, Path]:
    """An episode's CSV in which somebody moved an edge by a frame and gave the action after it other words."""
    out = tmp_path / "csv"
    review(reviewed, "export", "--to", "csv", "--out", out)
    with closing(reviewed.store()) as store:
        lanes = {e: list(store.document(e)[1].lane(Level.ACTION)) for e in store.episodes()}
    episode = next(e for e, lane in lanes.items() if len(lane) >= 3 and lane[1].frame_end - lane[1].frame_start > 8)
    edge = lanes[episode][1].frame_start
    path = out / f"{episode}.csv"
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    for line in lines:
        for name, seconds in (("frame_start", "start_s"), ("frame_end", "end_s")):
            if int(line[name]) == edge:
                line[name], line[seconds] = str(edge + 1), ""
        if line["level"] == "action" and line["frame_start"] == str(edge + 1):
            line["caption"], line["verb"] = "stir the soup", "stir"
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, lines[0])
        table.writeheader()
        table.writerows(lines)
    return episode, path


def test_what_somebody_changed_in_a_table_comes_in_under_their_name(reviewed: Reviewed, tmp_path: Path) -> None:
    episode, path = edited(reviewed, tmp_path)
    found = taken_in(reviewed, path)
    assert (found["conflicts"], found["refused"]) == (0, [])
    with closing(reviewed.store()) as store:
        document, log = store.document(episode)[1], store.log(episode)
        assert [entry.kind for entry in log] == ["move", "label"]
        assert {entry.actor for entry in log} == {"ann"}
        row = next(r for r in rows_of(document) if r.caption == "stir the soup")
        assert row.verb is Verb.STIR
        assert store.verify(episode) == []
    before = found["applied"]
    assert before == 2


def test_what_others_changed_meanwhile_is_a_conflict_and_not_overwritten(reviewed: Reviewed, tmp_path: Path) -> None:
    episode, path = edited(reviewed, tmp_path)
    with closing(reviewed.store()) as store:
        start = list(store.document(episode)[1].lane(Level.ACTION))[1].start_id
    reviewed.says(episode, Relabel(level=Level.ACTION, boundary_id=start, caption="mine", verb=Verb.POUR), actor="bob")
    found = taken_in(reviewed, path)
    assert found["base_rev"] == 0
    with closing(reviewed.store()) as store:
        captions = {row.caption for row in rows_of(store.document(episode)[1])}
        assert "mine" in captions
        assert "stir the soup" not in captions
        assert [entry.status for entry in store.log(episode)].count("conflict") == found["conflicts"] == 1


def test_a_wrong_row_is_refused_and_nothing_of_the_file_is_taken_in(reviewed: Reviewed, tmp_path: Path) -> None:
    episode, path = edited(reviewed, tmp_path)
    path.write_text(path.read_text().replace("stir,", "stirr,"))
    result = review(reviewed, "import-file", path, "--from", "csv", "--actor", "ann")
    assert result.exit_code == 1
    assert "found 'stirr', expected a verb of the vocabulary" in result.stderr
    assert f"{path}, line " in result.stderr.replace("\n", "")
    with closing(reviewed.store()) as store:
        assert store.log(episode) == []


def test_a_file_belongs_to_a_person(reviewed: Reviewed, tmp_path: Path) -> None:
    _, path = edited(reviewed, tmp_path)
    for actor in ("pipeline:run-1", "", "a@b"):
        result = review(reviewed, "import-file", path, "--from", "csv", "--actor", actor)
        assert result.exit_code == 1
        assert "expected a person's name" in result.stderr


def test_a_task_of_cvat_shows_only_some_pictures(reviewed: Reviewed, tmp_path: Path) -> None:
    out = tmp_path / "cvat"
    result = review(reviewed, "export", "--to", "cvat", "--out", out, "--frame-step", "1000", "--start-frame", "1")
    assert result.exit_code == 1
    assert "expected a picture of 1 and every 1000 after" in " ".join(result.stderr.split())
    assert not out.exists()
    result = review(reviewed, "export", "--to", "csv", "--out", out, "--frame-step", "2")
    assert result.exit_code == 1
    assert "only tasks of CVAT have them" in " ".join(result.stderr.split())


def test_lerobots_timestamps_are_those_of_the_datasets_own_table(
    reviewed: Reviewed, corpus: Path, tmp_path: Path
) -> None:
    """F6: also where they are not frame ÷ rate, as in this copy."""
    loaded = reviewed.load()
    workspace, ledger = reviewed.opened()
    source_of = sources(workspace, ledger, loaded.recipe)
    refs = {ref.episode_id: ref for ref in workspace.rows(EpisodeRef)}
    with closing(reviewed.store()) as store:
        episode = next(e for e in store.episodes() if format_of(refs[e]) == "lerobot")
        other = next(e for e in store.episodes() if format_of(refs[e]) == "video_folder")
    source = source_of(episode)
    shutil.copytree(source.ref.root, tmp_path / "copy")
    table = tmp_path / "copy" / source.ref.file("table").path
    rows = pq.read_table(table)
    own = (rows.column("timestamp").to_numpy() * np.float32(1.0001) + np.float32(0.25)).astype(np.float32)
    at = rows.column_names.index("timestamp")
    pq.write_table(rows.set_column(at, "timestamp", pa.array(own)), table)

    (recording,) = recordings(workspace, ledger, [episode])
    found = stamped(recording, replace(source, files=SourceFiles(str(tmp_path / "copy")))).seconds
    mine = own if "episode_index" not in rows.column_names else own[: len(found)]
    np.testing.assert_array_equal(found, mine)
    assert not np.array_equal(found, recording.seconds)
    (film,) = recordings(workspace, ledger, [other])
    assert stamped(film, source_of(other)) is film
