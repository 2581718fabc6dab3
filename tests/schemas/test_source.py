"""Who an episode is depends on its contents and its place in the source, never on where files lie."""

import dataclasses

import pytest

from schemas.source import EpisodeRef, SourceFile, SourceKind, make_ref

FILES = (SourceFile("table", "data/a.parquet", "aa", 1), SourceFile("video/top", "videos/a.mp4", "bb", 2))


def ref(**changes: object) -> EpisodeRef:
    values: dict[str, object] = {
        "source": "arm",
        "kind": SourceKind.TELEOP,
        "dataset": "d",
        "embodiment": "so101",
        "locator": "episode_index=0",
        "root": "/data",
        "files": FILES,
        "metadata": "{}",
    }
    return make_ref(**(values | changes))  # type: ignore[arg-type]  # the changes of each test are of the right type


def test_moving_or_renaming_files_changes_nothing() -> None:
    moved = tuple(dataclasses.replace(file, path=f"elsewhere/{file.path}") for file in FILES)
    other = ref(root="s3://bucket", files=moved, source="renamed")
    assert (other.episode_id, other.fingerprint) == (ref().episode_id, ref().fingerprint)


def test_files_may_be_listed_in_any_order() -> None:
    assert ref(files=FILES[::-1]).episode_id == ref().episode_id


@pytest.mark.parametrize(
    "changes", [{"locator": "episode_index=1"}, {"files": (FILES[0], dataclasses.replace(FILES[1], sha256="cc"))}]
)
def test_other_contents_or_another_place_are_another_episode(changes: dict[str, object]) -> None:
    assert ref(**changes).episode_id != ref().episode_id


@pytest.mark.parametrize(
    "changes", [{"metadata": "1"}, {"dataset": "e"}, {"embodiment": "so100"}, {"kind": SourceKind.RECOVERY}]
)
def test_corrected_metadata_re_reads_an_episode_without_changing_who_it_is(changes: dict[str, object]) -> None:
    assert ref(**changes).episode_id == ref().episode_id
    assert ref(**changes).fingerprint != ref().fingerprint


def test_a_file_is_found_by_its_part() -> None:
    assert ref().file("video/top").path == "videos/a.mp4"
    with pytest.raises(KeyError, match=r"no file for 'video/side', found \['table', 'video/top'\]"):
        ref().file("video/side")
