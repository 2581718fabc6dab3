"""Pictures as colours and gradients."""

import numpy as np
import pytest

from clustering.picture_descriptor import DIMS, decode, describe
from pipeline.errors import SourceError
from tests.clustering.made import jpeg


def plain(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((48, 64, 3), colour, np.uint8)


def test_decoding_gives_red_first() -> None:
    picture = decode(jpeg((200, 100, 50)))
    assert picture.dtype == np.uint8
    np.testing.assert_allclose(picture[4, 40], [200, 100, 50], atol=6)


def test_bytes_that_are_no_picture_are_an_error() -> None:
    with pytest.raises(SourceError, match="4 bytes are not a JPEG"):
        decode(b"nope")


def test_a_plain_picture_has_its_colour_and_no_gradients() -> None:
    described = describe(plain((255, 0, 0)))
    assert described.shape == (DIMS,)
    np.testing.assert_allclose(described[:48].reshape(16, 3), np.tile([1, 0, 0], (16, 1)))
    assert not described[48:].any()


def test_a_vertical_and_a_horizontal_edge_are_different() -> None:
    vertical = plain((20, 20, 20))
    vertical[:, 30:] = 220
    horizontal = plain((20, 20, 20))
    horizontal[23:] = 220
    one, other = describe(vertical)[48:].reshape(16, 8), describe(horizontal)[48:].reshape(16, 8)
    assert one.sum(axis=0).argmax() != other.sum(axis=0).argmax()
    assert np.sum(one**2) == pytest.approx(1)


def test_size_hardly_matters() -> None:
    small, large = describe(decode(jpeg((200, 100, 50), 48))), describe(decode(jpeg((200, 100, 50), 192)))
    assert np.linalg.norm(small - large) < 0.35 * np.linalg.norm(small)
