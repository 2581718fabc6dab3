"""Small frozen parts with random weights, written to disk by the libraries that write the real ones."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from clustering.torchvision_schemas import declare
from tests.trainer.events import small
from trainer.codec import WAN_2_1, WAN_2_2, CodecConfig
from trainer.configs import TrainConfig
from trainer.flow import Schedule, Sigmas

declare()

WORDS = ("lift", "put", "the", "cup", "cube", "down", "reach", "for")
TEXT_WIDTH, TEXT_LENGTH = 16, 12


def save_vae(folder: Path, codec: CodecConfig, seed: int = 0) -> Path:
    """An `AutoencoderKLWan` of the codec's shape, eight channels wide."""
    import diffusers

    torch.manual_seed(seed)
    of_2_2: dict[str, Any] = {
        "is_residual": True, "patch_size": 2, "in_channels": 12, "out_channels": 12, "scale_factor_spatial": 16,
    }  # fmt: skip
    vae = diffusers.AutoencoderKLWan(
        base_dim=8, decoder_base_dim=8, z_dim=codec.channels, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
        latents_mean=[0.01 * i for i in range(codec.channels)],
        latents_std=[0.5 + 0.01 * i for i in range(codec.channels)],
        **(of_2_2 if codec == WAN_2_2 else {}),
    )  # fmt: skip
    vae.save_pretrained(folder / "vae")
    return folder


def save_text_encoder(folder: Path, seed: int = 0) -> Path:
    """A two-layer `UMT5EncoderModel` and a tokeniser of a few words, as in a pipeline's folder."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

    torch.manual_seed(seed)
    vocabulary = {word: i for i, word in enumerate(("<pad>", "</s>", "<unk>", *WORDS))}
    tokeniser = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokeniser.pre_tokenizer = pre_tokenizers.Whitespace()
    tokeniser.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokeniser, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder / "tokenizer")
    config = UMT5Config(
        vocab_size=len(vocabulary), d_model=TEXT_WIDTH, d_kv=8, d_ff=32, num_layers=2, num_heads=2, pad_token_id=0,
        eos_token_id=1, decoder_start_token_id=0,
    )  # fmt: skip
    encoder = UMT5EncoderModel(config)
    with torch.no_grad():
        encoder.shared.weight.normal_(std=0.5)  # its own initialisation makes features of almost nothing
    encoder.save_pretrained(folder / "text_encoder")
    return folder


def save_transformer(folder: Path, config: TrainConfig, seed: int = 0, **saved: Any) -> Any:
    """diffusers' Wan transformer of the configuration's shape; the module itself, for comparison."""
    import diffusers

    torch.manual_seed(seed)
    video = config.model.video
    made = diffusers.WanTransformer3DModel(
        num_attention_heads=video.heads, attention_head_dim=video.width // video.heads,
        in_channels=video.latent_channels, out_channels=video.latent_channels, text_dim=config.model.text.width,
        freq_dim=video.time_frequencies, ffn_dim=video.ffn_width, num_layers=video.depth,
    )  # fmt: skip
    made.save_pretrained(folder / "transformer", **saved)
    return made


def small_wan(codec: CodecConfig = WAN_2_1) -> TrainConfig:
    """The code path of the large configurations at the size of a test."""
    config = small()
    side = 4 * codec.space_stride
    return replace(
        config,
        name="small-wan",
        model=replace(
            config.model,
            video=replace(config.model.video, latent_channels=codec.channels),
            text=replace(config.model.text, entries=0, width=TEXT_WIDTH, max_words=TEXT_LENGTH),
        ),
        data=replace(config.data, height=side, width=side, max_frames=9, drop_captions=True, codec=codec),
        schedule=Schedule(Sigmas("uniform", shift=3.0), Sigmas("beta"), action_draws=2),
    )
