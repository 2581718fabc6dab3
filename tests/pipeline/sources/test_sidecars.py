"""Which file is about which video."""

from pipeline.files import FileStat
from pipeline.sources.sidecars import language_of, sidecars_of


def beside(videos: list[str], *others: str) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    found = sidecars_of([FileStat(path, 1, 0) for path in (*videos, *others)], videos)
    return {stem: sorted(of) for stem, of in found.of.items()}, found.alone


def test_names_that_yt_dlp_gives_belong_to_their_video() -> None:
    name = "How to [dQw4w9WgXcQ]"
    others = [f"{name}{rest}" for rest in (".info.json", ".en.vtt", ".en-orig.vtt", ".de.srt", ".webp", ".description")]
    assert beside([f"{name}.mp4"], *others) == ({name: [".de.srt", ".en-orig.vtt", ".en.vtt", ".info.json"]}, ())


def test_a_longer_name_is_meant_before_a_shorter_one() -> None:
    assert beside(["a.mp4", "a.en.mp4"], "a.en.vtt", "a.vtt") == ({"a.en": [".vtt"], "a": [".vtt"]}, ())


def test_two_containers_of_one_name_share_what_is_beside_them() -> None:
    assert beside(["a.mp4", "a.webm"], "a.info.json") == ({"a": [".info.json"]}, ())


def test_other_folders_have_their_own() -> None:
    assert beside(["x/a.mp4"], "a.vtt", "y/a.vtt", "x/a.vtt") == ({"x/a": [".vtt"]}, ("a.vtt", "y/a.vtt"))


def test_a_playlists_info_file_is_about_no_video() -> None:
    assert beside(["a.mp4"], "My list [PL1].info.json") == ({}, ("My list [PL1].info.json",))


def test_the_language_is_what_stands_between_the_name_and_the_suffix() -> None:
    assert [language_of(rest) for rest in (".vtt", ".en.vtt", ".zh-Hans.srt")] == ["", "en", "zh-Hans"]
