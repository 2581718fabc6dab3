"""The real open_clip on the smallest architecture it bundles, with random weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from clustering.checkpoint import weights_of
from clustering.encoders import Encoder, encoder_of
from pipeline.errors import JoineryError, SourceError
from schemas.recipe import OpenClipEncoder
from tests.clustering.made import event, jpeg

SMALL = "ViT-S-32-alt"


COLOURS = [(40 * i % 250, 70 * i % 250, 110 * i % 250) for i in range(3)]


def spec_of(**keys: Any) -> OpenClipEncoder:
    return OpenClipEncoder(**({"encoder": "open_clip", "model": SMALL, "device": "cpu", "batch": 2} | keys))


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return encoder_of(spec_of())


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the small architecture from another seed, as a training run would leave them."""
    file = tmp_path_factory.mktemp("weights") / "weights.pt"
    torch.save({"state_dict": network(encoder_of(spec_of(seed=5))).state_dict()}, file)
    return file


def network(encoder: Encoder) -> torch.nn.Module:
    found = encoder._model  # type: ignore[attr-defined]  # the protocol hides the network
    assert isinstance(found, torch.nn.Module)
    return found


def check(spec: OpenClipEncoder) -> None:
    from clustering import open_clip_encoder  # ten seconds of CPU, for the one process that runs this

    open_clip_encoder.check(spec)


def seen(encoder: Encoder, colours: Sequence[tuple[int, int, int]]) -> NDArray[np.float64]:
    return encoder.pictures([encoder.prepared(jpeg(colour)) for colour in colours])


def test_pictures_and_captions_become_unit_vectors_of_one_space(encoder: Encoder) -> None:
    pictures = seen(encoder, COLOURS[:2])
    texts = encoder.texts([event(caption="grasp the cup"), event(caption="fold the towel")])
    assert pictures.shape == texts.shape == (2, encoder.dims)
    np.testing.assert_allclose(np.linalg.norm(np.concatenate([pictures, texts]), axis=1), 1, atol=1e-5)
    assert encoder.pictures([]).shape == (0, encoder.dims)
    assert encoder.model == f"open_clip:{SMALL}:random-0"


def test_a_vector_does_not_depend_on_what_it_is_encoded_with(encoder: Encoder) -> None:
    """Alone, in a full batch, in the last and not full one, at another place of it: the same bits."""
    together = seen(encoder, COLOURS)
    for i in range(len(COLOURS)):
        np.testing.assert_array_equal(seen(encoder, COLOURS[i : i + 1])[0], together[i])
    np.testing.assert_array_equal(seen(encoder, COLOURS[::-1]), together[::-1])
    events = [event(caption=f"move {'the cup ' * i}") for i in range(3)]
    texts = encoder.texts(events)
    np.testing.assert_array_equal(np.stack([encoder.texts([each])[0] for each in events]), texts)


def test_every_forward_pass_has_the_same_shape(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes, real = [], network(encoder).encode_image

    def noted(batch: torch.Tensor, **keys: Any) -> Any:
        shapes.append(len(batch))
        return real(batch, **keys)  # type: ignore[operator]  # torch's modules have attributes of any type

    monkeypatch.setattr(network(encoder), "encode_image", noted)
    seen(encoder, COLOURS)
    assert shapes == [2, 2]


def test_something_that_is_no_picture_is_a_fault_of_the_recording(encoder: Encoder) -> None:
    with pytest.raises(SourceError, match="not a JPEG"):
        encoder.prepared(b"nothing")


def test_the_same_seed_gives_the_same_weights_and_disturbs_no_other_draw(encoder: Encoder) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    again = encoder_of.__wrapped__(spec_of())
    assert torch.equal(torch.rand(3), expected)
    np.testing.assert_array_equal(again.texts([event()]), encoder.texts([event()]))


def test_a_local_checkpoint_is_loaded_and_named_by_its_content(encoder: Encoder, checkpoint: Path) -> None:
    spec = spec_of(checkpoint=str(checkpoint), revision="mine-7")
    check(spec)
    loaded, source = encoder_of(spec), encoder_of(spec_of(seed=5))
    np.testing.assert_array_equal(loaded.texts([event()]), source.texts([event()]))
    assert not np.allclose(loaded.texts([event()]), encoder.texts([event()]))
    assert loaded.model == f"open_clip:{SMALL}:mine-7:{weights_of(spec)}"


def test_half_precision_is_near_and_not_the_same(encoder: Encoder) -> None:
    full, half = (each.texts([event()])[0] for each in (encoder, encoder_of(spec_of(dtype="bfloat16"))))
    assert float(full @ half) / float(np.linalg.norm(full) * np.linalg.norm(half)) > 0.99
    assert not np.array_equal(full, half)


def test_weights_of_another_architecture_are_refused_before_anything_is_computed(checkpoint: Path) -> None:
    with pytest.raises(JoineryError, match=r"checkpoint: .*weights\.pt does not hold the weights of RN50; name"):
        check(spec_of(model="RN50", checkpoint=str(checkpoint)))


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 a torn archive"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "weights.pt"
    file.write_bytes(content)
    with pytest.raises(JoineryError, match="does not hold the weights of"):
        check(spec_of(checkpoint=str(file)))


def test_an_unknown_architecture_is_an_error_that_names_the_key() -> None:
    for ask in (check, encoder_of):
        with pytest.raises(JoineryError, match=r"embed\.vision_language\.model: found 'ViT-Z'"):
            ask(spec_of(model="ViT-Z"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="here cuda can be had")
def test_cuda_where_there_is_none_is_an_error_that_says_so() -> None:
    with pytest.raises(JoineryError, match=r"device: found cuda, but torch .* finds no GPU here"):
        encoder_of(spec_of(device="cuda"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU: what a GPU computes cannot be tested")
def test_a_gpu_gives_nearly_the_cpus_vectors_and_always_the_same_ones(encoder: Encoder) -> None:
    on_gpu = encoder_of(spec_of(device="cuda"))
    together = seen(on_gpu, COLOURS)
    np.testing.assert_allclose(together, seen(encoder, COLOURS), atol=1e-5)
    np.testing.assert_array_equal(np.concatenate([seen(on_gpu, [colour]) for colour in COLOURS]), together)
