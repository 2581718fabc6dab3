"""Latents: encoded once, kept by content, read by workers that then touch no clip; the same bits either way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.loader.sample import EventSample
from tests.trainer.events import sample, small, stats_of
from tests.trainer.pretrained import WAN_2_1, save_text_encoder, save_vae, small_wan
from trainer.captions import encode_missing
from trainer.codec import TOY, WanCodec
from trainer.example import Shown, shown_whole
from trainer.inputs import Inputs, Pretrained, inputs_of

CPU = torch.device("cpu")
CONFIG = small_wan()


class CountedCodec(WanCodec):
    """Says how many views it has encoded."""

    encoded = 0

    def encode(self, pixels_THW3: np.typing.NDArray[np.uint8]) -> torch.Tensor:
        self.encoded += 1
        return super().encode(pixels_THW3)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    save_vae(folder, WAN_2_1)
    return save_text_encoder(folder)


@pytest.fixture
def inputs(parts: Path, tmp_path: Path) -> Inputs:
    made = inputs_of(CONFIG, Pretrained(parts, parts, tmp_path), CPU)
    assert made.stored.captions is not None
    assert len(list(encode_missing(made.stored.captions, ["lift the cup"], parts, CPU))) == 2
    return replace(made, codec=CountedCodec(parts, WAN_2_1, CPU))


def counted(inputs: Inputs) -> int:
    assert isinstance(inputs.codec, CountedCodec)
    return inputs.codec.encoded


def unseen(event: EventSample) -> Shown:
    """As a worker sees an event whose pictures are known: without any."""
    return replace(shown_whole(event, CONFIG.data), pixels={})


def test_an_event_is_encoded_once_and_then_read_without_its_pictures(inputs: Inputs) -> None:
    event = sample()
    first = inputs.example(shown_whole(event, CONFIG.data), stats_of(event), CONFIG)
    assert counted(inputs) == 2, "two views"
    assert first.latents_VFCHW.shape == (2, 3, 16, 4, 4)
    again = inputs.example(unseen(event), stats_of(event), CONFIG)
    assert counted(inputs) == 2
    assert torch.equal(first.latents_VFCHW, again.latents_VFCHW), "the same bits, encoded or read"
    assert torch.equal(first.picture_VHW, again.picture_VHW)
    assert torch.equal(first.actions_KA, again.actions_KA)


def test_captions_come_as_features_and_not_as_words(inputs: Inputs) -> None:
    event = sample()
    found = inputs.example(shown_whole(event, CONFIG.data), stats_of(event), CONFIG)
    assert found.words == ()
    assert found.features is not None
    assert len(found.features.tokens_SC) == 4


def test_what_is_kept_is_found_by_content(inputs: Inputs) -> None:
    cache = inputs.stored.latents
    assert cache is not None
    event = sample()
    inputs.example(shown_whole(event, CONFIG.data), stats_of(event), CONFIG)
    renamed = replace(event, event_id="ev-b", captions={"action": "put the cup down"})
    assert cache.holds(shown_whole(renamed, CONFIG.data).clips)
    later = {camera: times - 3 * 10**8 for camera, times in event.view_times_ns.items()}
    moved = replace(event, view_times_ns={**event.view_times_ns, "wrist": later["wrist"]})
    assert not cache.holds(shown_whole(moved, CONFIG.data).clips), "the wrist shows other frames at these instants"
    assert not replace(cache, canvas=(64, 64)).holds(shown_whole(event, CONFIG.data).clips)
    assert not replace(cache, digest="other").holds(shown_whole(event, CONFIG.data).clips)


def test_a_picture_that_leaves_border_says_so_from_the_cache_too(inputs: Inputs) -> None:
    event = sample(actions=False, height=32)
    first = inputs.example(shown_whole(event, CONFIG.data), None, CONFIG)
    assert first.picture_VHW[0].sum(dim=1).tolist() == [4, 4, 0, 0]
    assert torch.equal(inputs.example(unseen(event), None, CONFIG).picture_VHW, first.picture_VHW)


def test_a_file_that_vanishes_is_not_taken_for_a_black_picture(inputs: Inputs) -> None:
    with pytest.raises(FileNotFoundError, match="gone since it was looked up"):
        inputs.example(unseen(sample()), stats_of(sample()), CONFIG)


def test_a_broken_file_is_named(inputs: Inputs) -> None:
    event, cache = sample(), inputs.stored.latents
    assert cache is not None
    shown = shown_whole(event, CONFIG.data)
    inputs.example(shown, stats_of(event), CONFIG)
    cache.path_of(shown.clips).write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"broken .*delete it"):
        inputs.example(shown, stats_of(event), CONFIG)


def test_tiny_needs_neither_cache_nor_weights() -> None:
    made = inputs_of(small(), Pretrained(), CPU)
    assert made.codec.config == TOY
    assert (made.stored.latents, made.stored.captions) == (None, None)
    found = made.example(shown_whole(sample(), small().data), stats_of(sample()), small())
    assert found.latents_VFCHW.shape[2] == 4
    assert len(found.words) == 3


def test_paths_and_configuration_must_belong_together(parts: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"name its folder \(--text-encoder\)"):
        inputs_of(CONFIG, Pretrained(parts, None, tmp_path), CPU)
    with pytest.raises(ValueError, match=r"name its folder \(--vae\)"):
        inputs_of(CONFIG, Pretrained(None, parts, tmp_path), CPU)
    with pytest.raises(ValueError, match="takes no encoder"):
        inputs_of(small(), Pretrained(None, parts, tmp_path), CPU)
