"""CSV tables: columns by name, and a file that was cut short never passes for a short one."""

from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.storage import csv_file
from pipeline.sources.storage.csv_file import rows

NEEDED = ("id", "text")


def found(root: Path, text: str | bytes) -> list[dict[str, str]]:
    (root / "a.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return list(rows(SourceFiles(str(root)), "a.csv", NEEDED))


def test_columns_are_known_by_name_whatever_their_order(tmp_path: Path) -> None:
    assert found(tmp_path, 'more,text,id\n1,"a, ""b""\nc",7\n\n') == [{"more": "1", "text": 'a, "b"\nc', "id": "7"}]


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    assert found(tmp_path, b"\xef\xbb\xbfid,text\r\n1,a\r\n") == [{"id": "1", "text": "a"}]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no column id, text, found an empty file"),
        ("id,other\n1,2\n", "no column text, found id, other"),
        ("id,text\n1,a\n2", "line 3 has 1 values, the header 2"),
        ("id,text\n1,a,b\n", "line 2 has 3 values, the header 2"),
        ('id,text\n1,"a', "line 2 is no CSV"),
        (b"id,text\n1,\xff\n", "line 2 is no UTF-8"),
        ("id,text\n1," + "x" * 200_000, "line 2 is no CSV"),
    ],
)
def test_a_damaged_table_is_told_by_name_and_line(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    with pytest.raises(SourceError, match=r"a\.csv: ") as caught:
        found(tmp_path, text)
    assert complaint in str(caught.value)


def test_a_line_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "MAX_LINE_BYTES", 1 << 20)
    with pytest.raises(SourceError, match="line 1 is longer than 1 MiB"):
        found(tmp_path, "x" * (2 << 20))
