"""Reading CSV tables that strangers made, row by row: columns are asked for by name, and no line is without end.

A row of another width than the header is a `SourceError` naming its line, because a file that was cut short ends so.
"""

import csv
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from pipeline.errors import SourceError
from pipeline.files import SourceFiles

MAX_LINE_BYTES = 1 << 20


def rows(files: SourceFiles, path: str, needed: Sequence[str]) -> Iterator[dict[str, str]]:
    """The rows below the header, every column by its name. Raises SourceError when ``needed`` ones are missing."""
    name = files.url_of(path)
    with files.open(path) as stream:
        table = csv.reader(_lines(stream, name), strict=True)
        try:
            header = [column.strip() for column in next(table, [])]
            if missing := [column for column in needed if column not in header]:
                raise SourceError(
                    f"{name}: no column {', '.join(missing)}, found {', '.join(header)[:300] or 'an empty file'}; "
                    "it is another table or another version of it"
                )
            for row in table:
                if row and len(row) != len(header):
                    raise SourceError(
                        f"{name}: line {table.line_num} has {len(row)} values, the header {len(header)}; the file is "
                        "damaged or cut short: fetch it again"
                    )
                if row:
                    yield dict(zip(header, row, strict=True))
        except csv.Error as error:
            raise SourceError(f"{name}: line {table.line_num} is no CSV ({error}); fetch it again") from error


def _lines(stream: BinaryIO, name: str) -> Iterator[str]:
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise SourceError(f"{name}: line {number} is longer than {MAX_LINE_BYTES >> 20} MiB; it is no table")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise SourceError(f"{name}: line {number} is no UTF-8 ({error.reason}); fetch the file again") from error
