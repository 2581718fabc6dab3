"""What a model name says about its vectors."""

import pytest

from clustering.families import family_of


def test_a_model_name_says_how_its_vectors_may_be_fitted() -> None:
    assert family_of("joinery-words-v1:512").text_dims == 512
    assert family_of("open_clip:ViT-B-32:random-0").whiten
    assert family_of("joinery-joints-v1:32x6:abc").standardise
    poses = family_of("joinery-poses-v2:32x6")
    assert (poses.text_dims, poses.standardise, poses.whiten) == (0, False, False)


def test_an_unknown_model_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"clip2: .*joinery-words-v1"):
        family_of("clip2")
