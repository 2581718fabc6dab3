"""A corpus is whole, used again when it is there, and the same bytes for the same parameters."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.errors import SourceError
from pipeline.synthetic.catalogue import ROBOT_SOURCES, VIDEO_SOURCES
from pipeline.synthetic.corpus import CorpusParameters, make_corpus
from tests.pipeline.synthetic.conftest import SMALL
from tests.pipeline.synthetic.reading import contents, luma, truth_of


def test_every_source_is_there(corpus: Path) -> None:
    kinds = truth_of(corpus)["sources"]
    assert all((corpus / name).is_dir() for name in kinds)
    assert list(kinds) == [source.name for source in (*ROBOT_SOURCES, *VIDEO_SOURCES)]


def test_the_same_parameters_give_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    make_corpus(tmp_path / "again", SMALL)
    first, again = contents(corpus), contents(tmp_path / "again")
    assert list(first) == list(again)
    assert [name for name in first if first[name] != again[name]] == []


def test_a_corpus_that_is_there_is_used_again(corpus: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    assert make_corpus(corpus, SMALL) is False
    assert {path: path.stat().st_mtime_ns for path in corpus.rglob("*")} == before


def test_a_folder_made_by_someone_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SourceError, match="not made here"):
        make_corpus(tmp_path, SMALL)
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    with pytest.raises(ValueError, match="at least 1"):
        make_corpus(tmp_path / "none", CorpusParameters(episodes_per_source=0))


def test_other_parameters_replace_a_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.synthetic.corpus.ROBOT_SOURCES", ())
    monkeypatch.setattr("pipeline.synthetic.corpus._egocentric", lambda root, parameters: iter(()))
    for seed in (1, 2):
        assert make_corpus(tmp_path / "corpus", CorpusParameters(1, seed)) is True
        assert truth_of(tmp_path / "corpus")["parameters"]["seed"] == seed
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_rows_are_as_many_as_frames_in_every_sound_episode(corpus: Path) -> None:
    for episode in truth_of(corpus)["episodes"]:
        if "=" not in episode["locator"]:
            assert len(luma(corpus / episode["source"] / episode["locator"])) == episode["n_frames"]
    for path in corpus.glob("*/data/chunk-*/episode_000000.parquet"):
        videos = list(path.parents[2].glob("videos/*/*/episode_000000.mp4"))
        assert videos
        assert {len(luma(video)) for video in videos} == {pq.read_metadata(path).num_rows}
