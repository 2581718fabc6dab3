"""The command line makes a corpus, says what is there, and refuses what makes no sense."""

from pathlib import Path

import pytest

from pipeline.synthetic.__main__ import main


def test_it_says_what_is_there(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(corpus), "--episodes-per-source", "1", "--seed", "5", "--with-defects"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"re-used {corpus}: 7 sources, 12 episodes (5 deliberately broken), ")


def test_a_folder_of_someone_else_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").touch()
    assert main([str(tmp_path)]) == 1
    assert "was not made here" in capsys.readouterr().err


def test_no_episodes_are_no_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path / "out"), "--episodes-per-source", "0"])
    assert "expected at least 1" in capsys.readouterr().err
