"""Which files are a bag: folders that metadata.yaml describes, and files of their own."""

from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources.formats import discover
from pipeline.sources.ros.ros_listing import listed_bags
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.ros_bag import RosBagSource
from schemas.source import EpisodeRef


def listed(root: Path) -> tuple[list[EpisodeRef], list[Finding]]:
    stated = {"format": "ros_bag", "name": "bags", "path": str(root), "card": {"licence": "CC0-1.0"}}
    found = list(listed_bags(RosBagSource.model_validate(stated), SourceFiles(str(root)), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def folder_with(root: Path, information: str, *names: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "metadata.yaml").write_text(f"rosbag2_bagfile_information:\n{information}\n")
    for name in names:
        (root / name).write_bytes(name.encode())
    return root


def paths(ref: EpisodeRef) -> list[str]:
    return [file.path for file in ref.files]


def test_a_split_recording_is_one_episode_in_the_order_of_its_metadata(tmp_path: Path) -> None:
    names = ["r_0.mcap", "r_1.mcap", "r_2.mcap", "r_10.mcap"]
    folder_with(tmp_path / "r", f"  relative_file_paths: [{', '.join(names)}]", *names)
    (ref,), findings = listed(tmp_path)
    assert (ref.locator, paths(ref)) == ("r", [f"r/{name}" for name in names])
    assert [file.part for file in ref.files] == ["bag", "bag/1", "bag/2", "bag/3"]
    assert findings == []


def test_every_other_bag_file_is_an_episode_of_its_own(tmp_path: Path) -> None:
    for name in ("b.bag", "a.MCAP", "c.db3", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    refs, findings = listed(tmp_path)
    assert [ref.locator for ref in refs] == ["a.MCAP", "b.bag", "c.db3"]
    assert findings == []


def test_files_beside_a_bag_that_its_metadata_does_not_name_are_told(tmp_path: Path) -> None:
    folder_with(tmp_path, "  relative_file_paths: [a.db3]", "a.db3", "old.db3")
    refs, (finding,) = listed(tmp_path)
    assert [ref.locator for ref in refs] == [".", "old.db3"]
    assert (finding.check, finding.verdict) == ("bag_file_unlisted", Verdict.KEEP)


def test_metadata_of_something_else_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.bag").write_bytes(b"a")
    (tmp_path / "metadata.yaml").write_text("title: notes")
    refs, findings = listed(tmp_path)
    assert ([ref.locator for ref in refs], findings) == (["a.bag"], [])


def test_renaming_a_bag_changes_no_id(tmp_path: Path) -> None:
    folder_with(tmp_path / "one", "  relative_file_paths: [a_0.db3]", "a_0.db3")
    (before,), _ = listed(tmp_path)
    (tmp_path / "one").rename(tmp_path / "other")
    (tmp_path / "other/a_0.db3").rename(tmp_path / "other/b_0.db3")
    text = (tmp_path / "other/metadata.yaml").read_text()
    (tmp_path / "other/metadata.yaml").write_text(text.replace("a_0", "b_0"))
    (after,), _ = listed(tmp_path)
    assert after.fingerprint == before.fingerprint


@pytest.mark.parametrize(
    ("information", "problem"),
    [
        ("  relative_file_paths: [gone.db3]", "names ['gone.db3'], which are not beside it"),
        ("  relative_file_paths: [a.db3, a.db3]", "names a file twice"),
        ("  relative_file_paths: []", "relative_file_paths is [], expected the bag's files"),
        ("  relative_file_paths: 7", "relative_file_paths is 7"),
        ("  relative_file_paths: [a.db3]\n  compression_mode: FILE\n  compression_format: zstd", "(mode 'file'"),
        ("  relative_file_paths: [a.db3]\n  compression_mode: MESSAGE\n  compression_format: lz9", "format 'lz9'"),
        ("  : [", "is no YAML"),
        ("  a: &a [1]\n  b: *a", "or with aliases"),
        ("  a: " + "[" * 50_000, "nested more than 32 deep"),
    ],
)
def test_a_bag_that_cannot_be_placed_is_dropped_and_the_others_are_listed(
    information: str, problem: str, tmp_path: Path
) -> None:
    folder_with(tmp_path / "bad", information, "a.db3")
    (tmp_path / "good.bag").write_bytes(b"good")
    refs, (finding,) = listed(tmp_path)
    assert [ref.locator for ref in refs] == ["good.bag"]
    assert (finding.check, finding.verdict) == ("bag_unreadable", Verdict.DROP)
    assert "bad/metadata.yaml: " in finding.message
    assert problem in finding.message


def test_metadata_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.db3").write_bytes(b"secret")
    folder_with(tmp_path / "source/r", "  relative_file_paths: [../../secret.db3]", "a.db3")
    refs, (finding,) = listed(tmp_path / "source")
    assert refs == []
    assert "names ['secret.db3'], which are not beside it" in finding.message


@pytest.mark.parametrize(
    ("name", "problem"),
    [("a.bag.active", "rosbag reindex"), ("a.db3.zstd", "zstd -d"), ("a.mcap.zstd", "zstd -d"), ("a.bag.gz", "unpack")],
)
def test_bags_that_are_not_finished_or_packed_are_told(name: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"a")
    refs, (finding,) = listed(tmp_path)
    assert (refs, finding.verdict) == ([], Verdict.DROP)
    assert problem in finding.message


def test_an_empty_bag_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.bag").write_bytes(b"")
    refs, (finding,) = listed(tmp_path)
    assert (refs, finding.check) == ([], "bag_unreadable")
    assert "a.bag is empty" in finding.message


def test_a_bag_behind_a_link_that_leads_out_is_dropped_and_the_others_are_listed(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "secret.bag").write_bytes(b"secret")
    (tmp_path / "source/a.bag").symlink_to(tmp_path / "secret.bag")
    (tmp_path / "source/b.bag").write_bytes(b"b")
    stated = {"format": "ros_bag", "name": "bags", "path": str(tmp_path / "source"), "card": {"licence": "CC0-1.0"}}
    spec = RosBagSource.model_validate(stated)
    finding, ref = discover(spec, SourceFiles(spec.path), MemoryDigests())
    assert isinstance(ref, EpisodeRef)
    assert isinstance(finding, Finding)
    assert (ref.locator, finding.check, finding.verdict) == ("b.bag", "passed_over", Verdict.DROP)
    assert "a.bag is passed over: what it links to lies outside the source's folder" in finding.message


def test_a_folder_without_bags_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no bag below it, expected at least one of"):
        listed(tmp_path)
