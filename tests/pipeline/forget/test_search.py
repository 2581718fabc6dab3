"""Terms are found wherever they stand alone, and nowhere else."""

import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.forget import search as module
from pipeline.forget.search import Search
from schemas.takedown import Terms

EVENT = "0123456789abcdef0123456789abcdef"
SHA = EVENT + "fedcba9876543210fedcba9876543210"
SEARCH = Search(Terms(ids={EVENT: "event id"}, texts={"episode_index=3": "locator", "Ölfass.mp4": "locator"}))


def found(data: bytes) -> list[str]:
    return list(SEARCH.in_bytes(data))


@given(before=st.binary(max_size=40), after=st.binary(max_size=40))
def test_an_id_is_found_in_any_bytes(before: bytes, after: bytes) -> None:
    assert "event id" in found(before + EVENT.encode() + after)


def test_a_samples_key_has_an_events_digits_without_its_prefix() -> None:
    assert found(f"00000017-{EVENT}.front.mp4".encode()) == ["event id"]
    assert found(f"ev-{EVENT[:-1]}0".encode()) == []


def test_a_digest_is_known_by_all_of_it() -> None:
    search = Search(Terms(ids={SHA: "clip SHA-256"}))
    assert list(search.in_bytes(SHA.encode())) == ["clip SHA-256"]
    assert list(search.in_bytes(SHA[32:].encode())) == []


def test_a_name_counts_where_it_stands_alone() -> None:
    assert found(b'"locator": "episode_index=3"') == ["locator"]
    assert found(b"episode_index=30 my_episode_index=3") == []
    assert found("Ölfass.mp4".encode()) == ["locator"]
    assert found(b'"\\u00d6lfass.mp4"') == ["locator"], "as JSON escapes it"


def test_what_lies_across_two_pieces_of_a_file_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 300)
    for at in (0, 283, 299, 590, 611):
        size = [0]
        data = bytes(at) + EVENT.encode() + bytes(700)
        assert "event id" in list(SEARCH.in_stream(io.BytesIO(data), size)), at
        assert size[0] == len(data)


def test_a_picture_is_known_by_its_bytes_under_any_name() -> None:
    picture = b"\xff\xd8 a picture"
    search = Search(Terms(contents={hashlib.sha256(picture).hexdigest(): "thumbnail"}))
    assert list(search.in_value(picture)) == ["thumbnail"]
    assert list(search.in_stream(io.BytesIO(picture), [0])) == ["thumbnail"]
    assert list(search.in_value(picture + b".")) == []
