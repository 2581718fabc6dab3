"""Weights are named by what they are, not by where they lie."""

import hashlib
from pathlib import Path

import pytest

from clustering.checkpoint import architecture_of, weights_of
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


def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    file.write_bytes(b"weights")
    pinned = OpenClipEncoder(encoder="open_clip", checkpoint=str(file), sha256=hashlib.sha256(b"weights").hexdigest())
    assert weights_of(pinned) == pinned.sha256
    file.write_bytes(b"others!")
    with pytest.raises(JoineryError, match=r"sha256: .*weights\.pt has .* expected"):
        weights_of(pinned)


def test_architectures_differ_and_unknown_ones_are_named() -> None:
    one, other = (architecture_of(OpenClipEncoder(encoder="open_clip", model=name)) for name in ("RN50", "ViT-B-32"))
    assert one != other
    assert architecture_of(DefaultEncoder()) == ""
    with pytest.raises(JoineryError, match="model: found 'ViT-Z', expected one of open_clip's"):
        architecture_of(OpenClipEncoder(encoder="open_clip", model="ViT-Z"))
