"""Captions: read once by the real encoder, kept, padded as Wan pads them, dropped to the encoded nothing."""

from pathlib import Path

import pytest
import torch

from tests.trainer.pretrained import TEXT_LENGTH, TEXT_WIDTH, save_text_encoder
from trainer.captions import CaptionCache, caption_cache, encode_missing, missing

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_text_encoder(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def cache(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> CaptionCache:
    made = caption_cache(tmp_path_factory.mktemp("cache"), encoder, TEXT_LENGTH)
    captions = ["lift the cup", "put the cup down", "lift  the cup "]
    assert list(encode_missing(made, captions, encoder, CPU)) == [(1, 3), (2, 3), (3, 3)], "the empty one, and two"
    return made


def test_features_are_the_encoders_of_a_padded_batch_cut_to_the_caption(cache: CaptionCache, encoder: Path) -> None:
    from transformers import AutoTokenizer, UMT5EncoderModel

    words = AutoTokenizer.from_pretrained(encoder / "tokenizer")
    read = words(["lift the cup"], padding="max_length", max_length=TEXT_LENGTH, return_tensors="pt")
    whole = UMT5EncoderModel.from_pretrained(encoder / "text_encoder", dtype=torch.bfloat16)
    with torch.no_grad():
        states = whole(read.input_ids, read.attention_mask).last_hidden_state[0].float()
    found = cache.read("lift the cup")
    assert found.tokens_SC.shape == (4, TEXT_WIDTH), "three words and the end mark"
    torch.testing.assert_close(found.tokens_SC.float(), states[:4], rtol=0.02, atol=0.02)
    assert found.tokens_SC.float().abs().max() > 0.1


def test_captions_are_padded_with_zeros(cache: CaptionCache) -> None:
    padded = cache.read("lift the cup").padded()
    assert padded.shape == (TEXT_LENGTH, TEXT_WIDTH)
    assert padded.dtype == torch.float32
    assert (padded[4:] == 0).all()
    assert (padded[:4].abs().sum(dim=1) > 0).all()


def test_a_dropped_caption_is_the_encoded_nothing(cache: CaptionCache) -> None:
    found = cache.read("put the cup down").dropped()
    assert torch.equal(found.tokens_SC, cache.read("").tokens_SC)
    assert len(found.tokens_SC) == 1


def test_spaces_do_not_make_another_caption(cache: CaptionCache) -> None:
    assert cache.path_of(" lift the\n cup") == cache.path_of("lift the cup") != cache.path_of("lift the cups")


def test_nothing_is_encoded_twice(cache: CaptionCache) -> None:
    assert missing(cache, ["lift the cup", "reach for the cube"]) == ["reach for the cube"]
    assert list(encode_missing(cache, ["lift the cup"], Path("not-opened"), CPU)) == []


def test_another_encoder_finds_nothing_of_this_one(cache: CaptionCache, tmp_path: Path) -> None:
    other = caption_cache(cache.folder, save_text_encoder(tmp_path, seed=1), TEXT_LENGTH)
    assert not other.holds("lift the cup")
    assert not caption_cache(cache.folder, tmp_path, TEXT_LENGTH + 1).holds("lift the cup")


def test_a_caption_nobody_encoded_is_named(cache: CaptionCache) -> None:
    with pytest.raises(FileNotFoundError, match="caption 'pour the tea' has not been encoded; run `joinery encode`"):
        cache.read("pour the tea")


def test_a_broken_file_is_named(cache: CaptionCache, tmp_path: Path) -> None:
    own = CaptionCache(tmp_path, "d", 4)
    own.write("", torch.zeros(1, 4))
    own.path_of("").write_bytes(b"half")
    with pytest.raises(ValueError, match=r"broken .*delete it"):
        own.read("")
