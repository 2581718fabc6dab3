"""JSON in pieces: the same values as a whole parse, one entry at a time; damaged and hostile files are told by name."""

import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.storage import json_file
from pipeline.sources.storage.json_file import dicts_of, document, entries, head, lines, ns_of, number_of, text_of

VALUE = {"version": "1", "videos": [{"a": 1}, [2], "three", 4.5, None], "clips": {"x": {}, "y": []}, "n": 12}


def written(root: Path, text: str | bytes) -> SourceFiles:
    (root / "a.json").write_bytes(text.encode() if isinstance(text, str) else text)
    return SourceFiles(str(root))


def found(files: SourceFiles, *inside: str) -> list[tuple[tuple[str, ...], Any]]:
    return list(entries(files, "a.json", inside))


def test_entries_are_the_members_of_the_outermost_object(tmp_path: Path) -> None:
    files = written(tmp_path, json.dumps(VALUE, indent=2))
    assert found(files) == [((key,), value) for key, value in VALUE.items()]


def test_named_members_are_opened(tmp_path: Path) -> None:
    files = written(tmp_path, json.dumps(VALUE))
    opened = found(files, "videos", "clips")
    assert opened[1:6] == [(("videos", ""), value) for value in [{"a": 1}, [2], "three", 4.5, None]]
    assert opened[6:8] == [(("clips", "x"), {}), (("clips", "y"), [])]
    assert opened[-1] == (("n",), 12)


def test_an_outermost_array_has_entries_without_keys(tmp_path: Path) -> None:
    assert found(written(tmp_path, " [1, {} ] ")) == [(("",), 1), (("",), {})]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7])
def test_pieces_may_end_anywhere(tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number cut in two is not two numbers, and half a letter is no error."""
    monkeypatch.setattr(json_file, "_CHUNK_BYTES", chunk)
    value = {"numbers": [12345, -1.5e-3, 7], "text": 'größe \\ " \U0001f600', "deep": [[[{}]]], "last": 1234567}
    files = written(tmp_path, json.dumps(value, ensure_ascii=False))
    assert {keys[0]: entry for keys, entry in entries(files, "a.json")} == value


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    assert found(written(tmp_path, b"\xef\xbb\xbf[1]")) == [(("",), 1)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"videos": [{"a": 1}, {"b', "is no JSON"),
        ('{"videos": [{"a": 1}', "ends in the middle"),
        ('{"videos": [1 2]}', "has '2' where ',' is expected"),
        ('{"a" 1}', "has '1' where ':' is expected"),
        ("{1: 2}", "has int where a key is expected"),
        ("", "begins with ''"),
        ("12", "begins with '1'"),
        ("[1] [2]", "goes on after its end"),
        (b'["\xff"]', "is no UTF-8"),
        ("[" * 100_000, "nests without end"),
        ("[" + "9" * 10_000 + "]", "is no JSON"),
        ("[1,]", "is no JSON"),
    ],
)
def test_a_damaged_file_is_told_by_name(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    with pytest.raises(SourceError, match=r"a\.json") as caught:
        found(written(tmp_path, text), "videos")
    assert complaint in str(caught.value)


def test_an_entry_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_file, "MAX_ENTRY_CHARS", 1 << 16)
    with pytest.raises(SourceError, match="does not end"):
        found(written(tmp_path, '["' + "a" * (4 << 20) + '"]'))


def test_a_large_file_takes_the_memory_of_one_entry(tmp_path: Path) -> None:
    entry = json.dumps({"narrations": [{"timestamp_sec": i * 0.5, "narration_text": "#C C turns"} for i in range(200)]})
    n_entries = 600
    with (tmp_path / "a.json").open("w") as file:
        file.write('{"videos": {' + ", ".join(f'"uid{i}": {entry}' for i in range(n_entries)) + "}}")
    size = (tmp_path / "a.json").stat().st_size
    files = SourceFiles(str(tmp_path))
    tracemalloc.start()
    try:
        count = sum(1 for _ in entries(files, "a.json", ("videos",)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == n_entries
    assert size > 6 << 20
    assert peak < size / 1.5


def test_time_grows_with_length_and_not_with_its_square(tmp_path: Path) -> None:
    files = written(tmp_path, '["' + "a" * (24 << 20) + '"]')
    start = time.process_time()
    assert len(found(files)[0][1]) == 24 << 20
    assert time.process_time() - start < 5.0


def test_a_small_file_is_read_as_a_whole(tmp_path: Path) -> None:
    assert document(written(tmp_path, json.dumps(VALUE)), "a.json") == VALUE
    with pytest.raises(SourceError, match="goes on after its end"):
        document(written(tmp_path, "{} x"), "a.json")


def test_lines_are_objects_with_their_numbers(tmp_path: Path) -> None:
    assert list(lines(written(tmp_path, '{"a": 1}\n\n{"a": 2}\n'), "a.json")) == [(1, {"a": 1}), (3, {"a": 2})]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"a": 1}\n{"a"', "line 2 is no JSON"),
        ("[1]\n", "line 1 is list"),
        ("[" * 100_000, "line 1 is no JSON"),
        (b'{"a": "\xff"}', "line 1 is no JSON"),
    ],
)
def test_a_damaged_line_is_told_by_number(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    with pytest.raises(SourceError, match=complaint):
        list(lines(written(tmp_path, text), "a.json"))


def test_a_line_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_file, "MAX_LINE_BYTES", 1 << 20)
    with pytest.raises(SourceError, match="line 1 is longer than 1 MiB"):
        list(lines(written(tmp_path, "x" * (2 << 20)), "a.json"))


def test_the_beginning_of_a_file_shows_what_it_is(tmp_path: Path) -> None:
    assert head(written(tmp_path, b'{"a\xff": 1}'), "a.json", 4) == '{"a\ufffd'


def test_values_that_mean_nothing_become_none() -> None:
    assert [number_of(value) for value in (1, 2.5, True, None, "3", float("nan"), float("inf"), 10**400)] == [
        1.0,
        2.5,
        *[None] * 6,
    ]
    assert [ns_of(value) for value in (0.0210286458, -1, 1e8, 1e300)] == [21_028_646, -(10**9), None, None]
    assert dicts_of([{}, 1, {"a": 2}]) == [{}, {"a": 2}]
    assert dicts_of({"a": {}}) == []


def test_half_surrogates_become_something_that_can_be_stored() -> None:
    """JSON can write them, UTF-8 and Arrow cannot."""
    assert text_of(json.loads('"a\\ud800b"')) == "a?b"
    assert text_of(5) == ""


def test_half_characters_become_question_marks(tmp_path: Path) -> None:
    r"""JSON can say ``\ud800``, which no file name, table or digest takes."""
    text = r'{"a\ud800": ["\udcff", {"b": "x\ud83d\ude00"}]}'
    assert document(written(tmp_path, text), "a.json") == {"a?": ["?", {"b": "x😀"}]}
    assert [value for _, value in lines(written(tmp_path, text), "a.json")] == [{"a?": ["?", {"b": "x😀"}]}]
    assert found(written(tmp_path, text)) == [(("a?",), ["?", {"b": "x😀"}])]
    deep = '{"a":' * 700 + r'"\ud800"' + "}" * 700
    with pytest.raises(SourceError, match=r"a\.json: nests without end"):
        document(written(tmp_path, deep), "a.json")
