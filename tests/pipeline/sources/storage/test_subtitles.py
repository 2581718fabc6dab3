"""WebVTT and SubRip as sites, people and converters write them."""

import time
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.storage.subtitles import MAX_BYTES, Problem, parse, subtitles


def cues(text: str, *, is_webvtt: bool = True) -> list[tuple[float, float, tuple[str, ...]]]:
    found = parse(text.encode(), is_webvtt=is_webvtt)
    assert found.problems == ()
    return [(cue.start_ns / 1e9, cue.end_ns / 1e9, cue.lines) for cue in found.cues]


def problems(text: str, *, is_webvtt: bool = True) -> list[tuple[int, str, str]]:
    return [tuple(problem) for problem in parse(text.encode(), is_webvtt=is_webvtt).problems]


def test_hours_may_be_left_out() -> None:
    text = "WEBVTT\n\n00:01.500 --> 00:02.000\nshort\n\n01:00:01.500 --> 01:00:02.000\nlong\n"
    assert cues(text) == [(1.5, 2.0, ("short",)), (3601.5, 3602.0, ("long",))]


def test_one_digit_of_hours_is_not_in_the_standard_and_in_the_wild() -> None:
    assert cues("WEBVTT\n\n1:00:01.500 --> 1:00:02.000\nlong\n") == [(3601.5, 3602.0, ("long",))]


def test_settings_identifiers_and_tags_are_no_speech() -> None:
    text = "<v Ann><c.yellow>pick</c> it <00:01.500>up &amp; go\n"
    text = f"WEBVTT\n\nintro\n00:01.000 --> 00:02.000 align:start position:0%\n{text}"
    assert cues(text) == [(1.0, 2.0, ("pick it up & go",))]


def test_comments_styles_and_regions_are_no_speech() -> None:
    text = (
        "WEBVTT - a title\nKind: captions\nLanguage: en\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:bottom\n\n"
        "NOTE one line\n\nNOTE\nof two\nlines\n\n00:01.000 --> 00:02.000\nyes\n\nNOTE after\n"
    )
    assert cues(text) == [(1.0, 2.0, ("yes",))]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_of_every_system(end: str, mark: str) -> None:
    text = f"{mark}WEBVTT\n\n00:01.000 --> 00:02.000\none\ntwo\n\n00:02.000 --> 00:03.000\nthree".replace("\n", end)
    assert cues(text) == [(1.0, 2.0, ("one", "two")), (2.0, 3.0, ("three",))]


def test_a_line_with_one_space_ends_no_cue() -> None:
    """YouTube puts one above the first line of captions that roll; only an empty line ends a cue."""
    assert cues("WEBVTT\n\n00:01.000 --> 00:02.000\n \nhello\n") == [(1.0, 2.0, ("hello",))]


def test_times_without_an_empty_line_before_begin_a_cue() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\none\n00:02.000 --> 00:03.000\ntwo\n"
    assert cues(text) == [(1.0, 2.0, ("one",)), (2.0, 3.0, ("two",))]


def test_cues_come_in_order_of_time() -> None:
    text = "WEBVTT\n\n00:05.000 --> 00:06.000\nlater\n\n00:01.000 --> 00:09.000\nsooner\n"
    assert [lines for _, _, lines in cues(text)] == [("sooner",), ("later",)]


def test_subrip_with_numbers_commas_overrides_and_empty_lines_inside() -> None:
    text = (
        "1\n00:00:01,000 --> 00:00:02,000\n{\\an8}<i>pick</i>\n\nit up\n\n2\n00:00:03,000 --> 00:00:04,000 X1:1\n42\n"
    )
    assert cues(text, is_webvtt=False) == [(1.0, 2.0, ("pick", "it up")), (3.0, 4.0, ("42",))]


def test_subrip_in_utf_16_says_so_by_its_mark() -> None:
    found = parse("1\n00:00:01,000 --> 00:00:02,000\naufheben: Tür\n".encode("utf-16"), is_webvtt=False)
    assert [cue.lines for cue in found.cues] == [("aufheben: Tür",)]


def test_webvtt_that_is_called_srt_is_read_as_what_it_is() -> None:
    assert cues("WEBVTT\n\nNOTE no speech\n\n00:01.000 --> 00:02.000\nyes\n", is_webvtt=False) == [(1.0, 2.0, ("yes",))]


def test_what_does_not_begin_as_webvtt_is_none() -> None:
    assert problems("<html>not found</html>") == [(1, "'<html>not found</html>'", "WEBVTT")]


TWO = "two times such as 00:01:02.500 --> 00:01:04.000"
BROKEN = [
    ("00:0x.000 --> 00:02.000", TWO),
    ("00:01.0 --> 00:02.000", TWO),
    ("00:01.000 -->", TWO),
    ("00:61.000 --> 01:02.000", TWO),
    ("99999999999:00:01.000 --> 99999999999:00:02.000", TWO),
    ("٠٠:٠١.٠٠٠ --> 00:02.000", TWO),
    ("00:02.000 --> 00:01.000", "an end after the start"),
]


@pytest.mark.parametrize(("line", "expected"), BROKEN)
def test_a_cue_that_cannot_be_read_is_told_by_its_line_and_costs_no_other(line: str, expected: str) -> None:
    found = parse(f"WEBVTT\n\n{line}\nlost\n\n00:04.000 --> 00:05.000\nkept\n".encode(), is_webvtt=True)
    assert found.problems == (Problem(3, repr(line), expected),)
    assert [cue.lines for cue in found.cues] == [("kept",)]


def test_words_where_times_are_expected_are_told() -> None:
    assert problems("WEBVTT\n\nhello\nworld\n") == [(3, "'hello'", "the times of a cue")]
    assert problems("hello\n\n1\n00:00:01,000 --> 00:00:02,000\nx\n", is_webvtt=False) == [
        (1, "'hello'", "the number or the times of a cue")
    ]


def test_text_that_is_no_utf_8_is_told_and_not_guessed() -> None:
    found = parse(
        b"1\n00:00:01,000 --> 00:00:02,000\nT\xfcr\n\n2\n00:00:03,000 --> 00:00:04,000\nok\n", is_webvtt=False
    )
    assert found.problems == (Problem(3, "'T\ufffdr'", "text in UTF-8"),)
    assert [cue.lines for cue in found.cues] == [("ok",)]


def test_a_file_too_large_to_be_subtitles_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.vtt").write_bytes(b"\n" * (MAX_BYTES + 1))
    with pytest.raises(SourceError, match=r"a\.vtt: is larger than 8 MiB, expected subtitles"):
        subtitles(SourceFiles(str(tmp_path)), "a.vtt")


@pytest.mark.parametrize("filler", ["<", "{\\", "-->", " ", "&", "1", "00:00:00.000 -->"])
def test_hostile_lines_take_no_longer_than_others(filler: str) -> None:
    began = time.process_time()
    parse(b"WEBVTT\n\n00:01.000 --> 00:02.000\n" + filler.encode() * (2_000_000 // len(filler)), is_webvtt=True)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("text", ["", "\n\n", "1\n"])
def test_subrip_without_a_cue_says_nothing(text: str) -> None:
    assert cues(text, is_webvtt=False) == []
