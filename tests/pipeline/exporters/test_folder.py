"""An export is there whole or not at all, and is never laid over anything else."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import JoineryError
from pipeline.exporters.folder import Counts, Exported, Losses, digests, export_into

REQUEST = {"to": "lerobot", "shard_set_id": "ss-1"}


def writes(text: str) -> Any:
    def write(folder: Path) -> Counts:
        (folder / "data").mkdir()
        (folder / "data" / "a.txt").write_text(text)
        losses = Losses()
        losses.add("colours", 2)
        return Counts(3, 40, losses)

    return write


def never(_folder: Path) -> Counts:
    raise AssertionError("nothing had to be written")


def test_it_says_what_lies_there(tmp_path: Path) -> None:
    made = export_into(tmp_path / "out", REQUEST, writes("x"))
    size = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert made == Exported(str(tmp_path / "out"), "lerobot", 3, 40, 2, size, {"colours": 2}, written=True)
    assert set(digests(tmp_path / "out")) == {"data/a.txt"}


def test_the_same_export_is_not_written_twice(tmp_path: Path) -> None:
    first = export_into(tmp_path / "out", REQUEST, writes("x"))
    again = export_into(tmp_path / "out", REQUEST, never)
    assert not again.written
    assert (again.n_events, again.n_files, again.n_bytes) == (first.n_events, first.n_files, first.n_bytes)


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert export_into(tmp_path / "out", REQUEST, writes("x")).written


def test_another_export_is_not_overwritten(tmp_path: Path) -> None:
    export_into(tmp_path / "out", REQUEST, writes("x"))
    with pytest.raises(JoineryError, match="holds an export with another shard_set_id, split"):
        export_into(tmp_path / "out", {"to": "lerobot", "shard_set_id": "ss-2", "split": "train"}, never)


@pytest.mark.parametrize("change", ["changed", "added", "lost"])
def test_a_damaged_export_is_not_taken_for_whole(tmp_path: Path, change: str) -> None:
    export_into(tmp_path / "out", REQUEST, writes("x"))
    file = tmp_path / "out" / "data" / "a.txt"
    if change == "lost":
        file.unlink()
    else:
        (file if change == "changed" else file.with_name("b.txt")).write_text("y")
    with pytest.raises(JoineryError, match=r"1 files were changed, added or lost, the first is data/[ab]\.txt"):
        export_into(tmp_path / "out", REQUEST, never)


def test_somebodys_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(JoineryError, match="is not empty and no finished export"):
        export_into(tmp_path, REQUEST, never)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_what_failed_is_not_there(tmp_path: Path) -> None:
    def fails(folder: Path) -> Counts:
        (folder / "half").write_text("x")
        raise JoineryError("disk full")

    with pytest.raises(JoineryError, match="disk full"):
        export_into(tmp_path / "out", REQUEST, fails)
    assert list(tmp_path.iterdir()) == []
