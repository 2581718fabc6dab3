"""A folder that a stranger made is listed once, and what is no file of it is told."""

import os
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources.formats import discover
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.video_folder import VideoFolderSource
from schemas.source import EpisodeRef
from tests.pipeline.films import drifting, film


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "source/b").mkdir(parents=True)
    (tmp_path / "source/b/1.txt").write_text("1")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.txt").write_text("secret")
    return tmp_path / "source"


def listed(root: Path, *, follow_links: bool = False) -> list[str]:
    return [stat.path for stat in SourceFiles(str(root), follow_links=follow_links).list()]


def told(root: Path) -> list[str]:
    return list(SourceFiles(str(root)).passed_over())


def test_folders_that_hold_themselves_are_listed_once(root: Path) -> None:
    """Two links to ``.`` in one folder: followed, they make 2^40 folders."""
    for name in ("loop", "again", "b/up", "b/self"):
        (root / name).symlink_to("..") if name == "b/up" else (root / name).symlink_to(".")
    assert listed(root) == ["b/1.txt"]
    assert listed(root, follow_links=True) == ["b/1.txt"]
    assert told(root) == []


def test_a_linked_folder_inside_is_read_under_its_own_name(root: Path) -> None:
    (root / "a").symlink_to("b")
    assert listed(root) == ["b/1.txt"]


def test_links_that_lead_out_are_told_and_followed_only_where_the_recipe_says_so(root: Path) -> None:
    (root / "file.txt").symlink_to(root.parent / "outside/secret.txt")
    (root / "folder").symlink_to(root.parent / "outside")
    (root / "machine").symlink_to("/")
    assert listed(root) == ["b/1.txt"]
    assert [line.split(" ")[0] for line in told(root)] == ["file.txt", "folder", "machine"]
    assert all(
        "outside the source's folder; if the link is your own, say `follow_links: true`" in line for line in told(root)
    )
    (root / "machine").unlink()
    assert listed(root, follow_links=True) == ["b/1.txt", "file.txt", "folder/secret.txt"]


def test_what_is_no_file_is_told_and_never_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe.txt")
    (root / "gone.txt").symlink_to("nowhere")
    (root / "self.txt").symlink_to("self.txt")
    (Path(os.fsdecode(os.fsencode(root) + b"/\xff.txt"))).write_text("x")
    assert listed(root) == ["b/1.txt"]
    assert [line.split(" is passed over: ")[1][:20] for line in told(root)] == [
        "it leads nowhere (No", "it is a pipe, a sock", "it leads nowhere (To", "its name is no UTF-8",
    ]  # fmt: skip
    with pytest.raises(SourceError, match=r"pipe\.txt: is a pipe, a socket or a device"):
        SourceFiles(str(root)).open("pipe.txt")


def test_a_folder_that_leads_out_is_not_listed_by_name(root: Path) -> None:
    with pytest.raises(SourceError, match="leads out of the source's folder"):
        SourceFiles(str(root)).list("../outside")


def test_a_source_says_what_it_passed_over_and_reads_the_rest(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a.mp4").write_bytes(film(drifting(4)))
    (tmp_path / "b.mp4").write_bytes(film(drifting(5)))
    (tmp_path / "source/b.mp4").symlink_to(tmp_path / "b.mp4")
    spec = VideoFolderSource.model_validate(
        {"format": "video_folder", "name": "films", "path": str(tmp_path / "source"), "card": {"licence": "CC0-1.0"}}
    )
    finding, ref = discover(spec, SourceFiles(spec.path), MemoryDigests())
    assert isinstance(finding, Finding)
    assert isinstance(ref, EpisodeRef)
    assert (finding.check, finding.verdict, ref.locator) == ("passed_over", Verdict.DROP, "a.mp4")
    assert "films: b.mp4 is passed over" in finding.message
    (tmp_path / "source/a.mp4").unlink()
    with pytest.raises(SourceError, match=r"no video file below it.*besides, b\.mp4 is passed over.*follow_links"):
        list(discover(spec, SourceFiles(spec.path), MemoryDigests()))


def test_a_folder_that_may_not_be_listed_hides_no_other(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``lost+found`` of a mounted disk, say. Tests may run as root, who may list everything."""
    (root / "lost+found").mkdir()
    scandir = os.scandir

    def denied(folder: str) -> object:
        if str(folder).endswith("lost+found"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", denied)
    assert listed(root) == ["b/1.txt"]
    (said,) = told(root)
    assert "cannot be listed (Permission denied)" in said
