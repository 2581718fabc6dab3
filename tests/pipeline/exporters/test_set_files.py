"""Files of a set elsewhere: the same bytes, and what the set says of itself."""

from pathlib import Path

import pytest

from pipeline.exporters.set_files import card_of, place_file, place_papers
from pipeline.loader.reader import ShardSet


def test_on_one_disk_a_tar_is_linked(opened: ShardSet, folder: Path, tmp_path: Path) -> None:
    place_file(opened, "train-000000.tar", tmp_path / "a" / "b.tar")
    assert (tmp_path / "a" / "b.tar").read_bytes() == (folder / "train-000000.tar").read_bytes()
    assert (tmp_path / "a" / "b.tar").samefile(folder / "train-000000.tar")


def test_elsewhere_it_is_copied(
    opened: ShardSet, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ShardSet, "local_file", lambda _self, _name: None)
    place_file(opened, "train-000000.tar", tmp_path / "b.tar")
    assert (tmp_path / "b.tar").read_bytes() == (folder / "train-000000.tar").read_bytes()
    assert not (tmp_path / "b.tar").samefile(folder / "train-000000.tar")


def test_papers_are_what_the_set_has(opened: ShardSet, folder: Path, tmp_path: Path) -> None:
    place_papers(opened, tmp_path, ("README.md", "nothing.md"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "set.json"]
    assert card_of(opened) == (folder / "README.md").read_text(encoding="utf-8")
