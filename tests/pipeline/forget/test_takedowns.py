"""The takedown list knows a recording by its content, whatever it is called, and nothing else."""

from pathlib import Path

import pytest

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.forget.takedowns import read_takedowns, write_takedown
from schemas.source import EpisodeRef, SourceFile, SourceKind, make_ref
from schemas.takedown import Takedown, takedown_path


def ref(path: str, video: str = "aa", table: str = "bb", source: str = "home") -> EpisodeRef:
    files = (SourceFile("video/top", f"{path}.mp4", video, 1), SourceFile("table", f"{path}.parquet", table, 1))
    return make_ref(
        source=source, kind=SourceKind.TELEOP, dataset=source, embodiment="arm", locator=path, root="/x",
        files=files, metadata="{}", inside="",
    )  # fmt: skip


def test_it_stays_out_under_any_name_and_with_another_table(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    gone = ref("a")
    write_takedown(blobs, Takedown(episode_id=gone.episode_id, at="now", videos=["aa"], files=["bb"]))
    listed = read_takedowns(blobs)
    for same in (ref("b"), ref("c", source="elsewhere"), ref("d", table="corrected")):
        entry = listed.of(same)
        assert entry is not None
        assert entry.episode_id == gone.episode_id
    assert listed.of(ref("e", video="other")) is None, "tables may be shared; a picture is whose it is"
    assert listed.files == {"aa", "bb"}


def test_an_entry_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    blobs.put_bytes(takedown_path("ep-1"), b"{}")
    with pytest.raises(StoreError, match="no entry of the takedown list"):
        read_takedowns(blobs)


def test_the_files_name_does_not_say_whose_it_is() -> None:
    assert "0123456789abcdef" not in takedown_path("ep-0123456789abcdef0123456789abcdef")
