"""Weights are named by what they are, not by where they lie."""

import hashlib
from pathlib import Path

import pytest

from clustering.checkpoint import weights_of
from pipeline.errors import JoineryError
from schemas.recipe import DefaultEncoder, OpenClipEncoder


def test_weights_are_named_by_content(tmp_path: Path) -> None:
    names = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / "weights.pt"
        file.write_bytes(b"weights")
        names.append(weights_of(OpenClipEncoder(encoder="open_clip", checkpoint=str(file))))
    assert names == [hashlib.sha256(b"weights").hexdigest()] * 2


def test_random_weights_say_so() -> None:
    assert weights_of(OpenClipEncoder(encoder="open_clip", seed=3)) == "random-3"
    assert weights_of(DefaultEncoder()) == ""


def test_a_missing_checkpoint_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(JoineryError, match=r"gone\.pt is not a file"):
        weights_of(OpenClipEncoder(encoder="open_clip", checkpoint=str(tmp_path / "gone.pt")))
