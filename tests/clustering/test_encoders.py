"""Choosing an encoder, and the one without weights."""

from clustering.encoders import encoder_of
from clustering.picture_descriptor import DIMS
from schemas.recipe import DefaultEncoder
from tests.clustering.made import event, jpeg


def test_the_default_encoder_has_no_weights_and_says_so() -> None:
    encoder = encoder_of(DefaultEncoder(text_dims=64))
    assert encoder.model == "joinery-words-v1:64"
    assert encoder.texts([event(), event()]).shape == (2, 64)
    assert encoder.pictures([encoder.prepared(jpeg((1, 2, 3)))]).shape == (1, DIMS)
    assert encoder.pictures([]).shape == (0, DIMS)


def test_one_process_makes_an_encoder_once() -> None:
    assert encoder_of(DefaultEncoder()) is encoder_of(DefaultEncoder())
    assert encoder_of(DefaultEncoder()) is not encoder_of(DefaultEncoder(text_dims=64))
