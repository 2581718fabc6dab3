"""Real transformers models of random weights, small enough for a test, saved to disk as anybody saves theirs."""

import importlib
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

try:
    importlib.import_module("torchvision")
except (ImportError, RuntimeError):
    sys.modules["torchvision"] = None  # type: ignore[assignment]  # of another build than torch: as if it were not there

from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
)

try:
    from transformers import CLIPImageProcessor, LlavaProcessor
except ImportError as error:
    NO_PICTURES = str(error)
else:
    NO_PICTURES = ""
"""Why models with pictures cannot be made; empty where they can."""

WIDTH, LAYERS = 16, 3
IMAGE = "<image>"


def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, and a token for a picture."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {symbol: number for number, symbol in enumerate(["<pad>", "<s>", "</s>", *alphabet])}
    made = Tokenizer(models.BPE(vocabulary, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    out = PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    out.add_special_tokens({"additional_special_tokens": [IMAGE]})
    return out


def _text(words: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(words), hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=LAYERS, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=1024,
    )  # fmt: skip


def save_words_only(folder: Path) -> str:
    """A causal language model."""
    words = tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(_text(words)).save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


def save_with_pictures(folder: Path) -> str:
    """A vision-language model that sees 32 × 32 pixels as 4 tokens."""
    words = tokenizer()
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=16
    )
    picture = words.convert_tokens_to_ids(IMAGE)
    config = LlavaConfig(vision_config=vision, text_config=_text(words), image_token_index=picture, image_seq_length=4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlavaForConditionalGeneration(config).save_pretrained(folder)
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    LlavaProcessor(
        pictures, words, patch_size=16, vision_feature_select_strategy="default", num_additional_image_tokens=1
    ).save_pretrained(folder)
    return str(folder)
