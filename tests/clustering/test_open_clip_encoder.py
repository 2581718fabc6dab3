"""The real open_clip on the smallest architecture it bundles, with random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

from clustering.checkpoint import weights_of
from clustering.encoders import Encoder, encoder_of
from pipeline.errors import JoineryError
from schemas.recipe import OpenClipEncoder
from tests.clustering.made import event, jpeg

SMALL = "ViT-S-32-alt"


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return encoder_of(OpenClipEncoder(encoder="open_clip", model=SMALL))


def test_pictures_and_captions_become_unit_vectors_of_one_space(encoder: Encoder) -> None:
    pictures = encoder.pictures([jpeg((200, 10, 10)), jpeg((10, 10, 200))])
    texts = encoder.texts([event(caption="grasp the cup"), event(caption="fold the towel")])
    assert pictures.shape == texts.shape
    np.testing.assert_allclose(np.linalg.norm(np.concatenate([pictures, texts]), axis=1), 1, atol=1e-5)
    assert encoder.pictures([]).shape == (0, texts.shape[1])
    assert encoder.model == f"open_clip:{SMALL}:random-0"


def test_the_same_seed_gives_the_same_weights_and_disturbs_no_other_draw(encoder: Encoder) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    again = encoder_of.__wrapped__(OpenClipEncoder(encoder="open_clip", model=SMALL))
    assert torch.equal(torch.rand(3), expected)
    np.testing.assert_array_equal(again.texts([event()]), encoder.texts([event()]))


def test_a_local_checkpoint_is_loaded_and_named_by_its_content(encoder: Encoder, tmp_path: Path) -> None:
    source = encoder_of(OpenClipEncoder(encoder="open_clip", model=SMALL, seed=5))
    file = tmp_path / "weights.pt"
    torch.save(source._model.state_dict(), file)  # type: ignore[attr-defined]  # the protocol hides the network
    spec = OpenClipEncoder(encoder="open_clip", model=SMALL, checkpoint=str(file))
    loaded = encoder_of(spec)
    np.testing.assert_array_equal(loaded.texts([event()]), source.texts([event()]))
    assert not np.allclose(loaded.texts([event()]), encoder.texts([event()]))
    assert loaded.model == f"open_clip:{SMALL}:{weights_of(spec)}"


def test_an_unknown_architecture_is_an_error_that_names_the_key() -> None:
    with pytest.raises(JoineryError, match=r"embed\.vision_language\.model: found 'ViT-Z'"):
        encoder_of(OpenClipEncoder(encoder="open_clip", model="ViT-Z"))
