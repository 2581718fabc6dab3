"""The proof names every file that still holds something, and is byte for byte the same twice."""

import gzip
from pathlib import Path

import pytest

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.forget.proof import search_folder
from schemas.takedown import Terms

DIGITS = "0123456789abcdef0123456789abcdef"
TERMS = Terms(ids={DIGITS: "episode id"})


def test_files_are_named_with_what_is_in_them(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    blobs.put_bytes("clean.json", b"{}")
    blobs.put_bytes("log/run.txt", f"ep-{DIGITS} and ep-{DIGITS}".encode())
    blobs.put_bytes("deep.gz", gzip.compress(DIGITS.encode()))
    (tmp_path / f"half-{DIGITS}.tmp").write_bytes(b"")
    blobs.put_bytes("forgotten/list.json", DIGITS.encode())
    blobs.put_bytes("closed.7z", b"7z\xbc\xaf\x27\x1c" + bytes(30))
    searched = search_folder(blobs, TERMS)
    assert {one.path: one.why for one in searched.remaining} == {
        "log/run.txt": "2 × episode id",
        "deep.gz": "1 × episode id",
        f"half-{DIGITS}.tmp": "1 × episode id in its name",
        "closed.7z": "cannot be looked into (compressed with 7z, which Joinery does not read)",
    }
    assert searched.n_files == 5, "the takedown list itself is not searched"
    with pytest.raises(StoreError, match=r"closed\.7z"):
        searched.proof(TERMS)


def test_a_clean_folder_is_proven_in_the_same_words_twice(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    blobs.put_bytes("a", b"12345")
    blobs.put_bytes("tables/x.lance/_versions/1.manifest", b"of any length")
    one, two = (search_folder(blobs, TERMS).proof(TERMS) for _ in range(2))
    assert one == two
    assert (one.n_files, one.n_bytes, one.terms) == (1, 5, {"episode id": 1})
