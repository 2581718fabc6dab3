"""`pipeline.files` and `pipeline.fingerprint`: source files, wherever they lie, read and hashed once."""

import hashlib
import pickle
from pathlib import Path

import pytest

from pipeline.blobs import Blobs
from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import MemoryDigests, sha256_of
from pipeline.sources.folders import Folders
from tests.pipeline.s3_server import s3_bucket


@pytest.fixture
def files(tmp_path: Path) -> SourceFiles:
    for path in ("b/2.txt", "b/10.txt", "a.txt", "b/c/deep.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    return SourceFiles(str(tmp_path))


def test_files_are_listed_below_the_root_and_in_order(files: SourceFiles) -> None:
    assert [stat.path for stat in files.list()] == ["a.txt", "b/10.txt", "b/2.txt", "b/c/deep.txt"]
    assert [stat.path for stat in files.list("b", recursive=False)] == ["b/10.txt", "b/2.txt"]
    assert files.list("nowhere") == []


def test_a_listing_and_a_stat_agree(files: SourceFiles) -> None:
    assert [files.stat(stat.path) for stat in files.list()] == files.list()
    assert files.stat("b") is None
    assert files.stat("nowhere.txt") is None


def test_files_are_opened_where_they_lie_also_after_pickling(files: SourceFiles) -> None:
    again = pickle.loads(pickle.dumps(files))
    with again.open("b/2.txt") as stream:
        assert stream.seek(2) == 2
        assert stream.read() == b"2.txt"


def test_a_missing_file_is_named(files: SourceFiles) -> None:
    with pytest.raises(SourceError, match=r"b/3\.txt: no such file"):
        files.open("b/3.txt")


OUTSIDE = ["../secret.txt", "b/../../secret.txt", "/etc/passwd", "link.txt", "folder/secret.txt"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_name_that_leads_out_of_the_folder_is_refused(files: SourceFiles, tmp_path: Path, path: str) -> None:
    outside = tmp_path.with_name(f"{tmp_path.name}-outside")
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (tmp_path / "link.txt").symlink_to(outside / "secret.txt")
    (tmp_path / "folder").symlink_to(outside)
    with pytest.raises(SourceError, match="leads out of the source's folder"):
        files.open(path)
    assert files.stat(path) is None


def test_links_of_a_download_cache_are_followed_when_the_recipe_says_so(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "blobs" / "1f").write_text("data")
    (tmp_path / "snapshot" / "a.txt").symlink_to(tmp_path / "blobs" / "1f")
    with pytest.raises(SourceError, match="follow_links"):
        SourceFiles(str(tmp_path / "snapshot")).open("a.txt")
    assert SourceFiles(str(tmp_path / "snapshot"), follow_links=True).read("a.txt") == b"data"


def test_links_inside_the_folder_are_ordinary_files(files: SourceFiles, tmp_path: Path) -> None:
    (tmp_path / "same.txt").symlink_to(tmp_path / "a.txt")
    assert files.read("same.txt") == b"a.txt"


@pytest.mark.parametrize("path", ["9" * 5000, "a\x00b"])
def test_what_cannot_be_a_name_is_said(files: SourceFiles, path: str) -> None:
    assert files.stat(path) is None
    with pytest.raises(SourceError, match="is no file name"):
        files.open(path)


def test_an_object_store_reads_like_a_folder() -> None:
    with s3_bucket("sources") as storage:
        Blobs("s3://sources/set", storage).put_bytes("a/x.bin", b"0123456789")
        files = SourceFiles("s3://sources/set", storage)
        assert [stat.path for stat in files.list()] == ["a/x.bin"]
        assert files.stat("a/x.bin") == files.list()[0]
        with files.open("a/x.bin") as stream:
            stream.seek(4)
            assert stream.read(3) == b"456"
        with pytest.raises(SourceError, match="no such file"):
            files.open("a/y.bin")
        sha256 = sha256_of(files, files.list()[0], MemoryDigests())
        assert sha256 == hashlib.sha256(b"0123456789").hexdigest()


def test_a_file_is_hashed_once_until_it_changes(files: SourceFiles) -> None:
    digests = MemoryDigests()
    stat = files.stat("a.txt")
    assert stat is not None
    assert sha256_of(files, stat, digests) == hashlib.sha256(b"a.txt").hexdigest()
    Path(files.root, "a.txt").write_bytes(b"other")
    assert sha256_of(files, stat, digests) == hashlib.sha256(b"a.txt").hexdigest(), "size and time unchanged"
    changed = FileStat("a.txt", stat.size, stat.mtime_ns + 1)
    assert sha256_of(files, changed, digests) == hashlib.sha256(b"other").hexdigest()


def test_folders_answer_like_stat_with_one_listing_per_folder(
    files: SourceFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = []
    plain = SourceFiles.list

    def counted(self: SourceFiles, folder: str = "", *, recursive: bool = True) -> list[FileStat]:
        listed.append(folder)
        return plain(self, folder, recursive=recursive)

    monkeypatch.setattr(SourceFiles, "list", counted)
    folders = Folders(files)
    for path in ("a.txt", "b/2.txt", "b/10.txt", "b/none.txt", "none/x.txt"):
        assert folders.stat(path) == files.stat(path)
    assert listed == ["", "b", "none"]
