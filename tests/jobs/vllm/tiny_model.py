"""A Qwen3-VL of two million random weights: whole, small, offline, and as real to vLLM as one that has learned.

``python tests/jobs/vllm/tiny_model.py FOLDER`` with the interpreter of .venv-vllm, in ten seconds. It sees pictures and
writes nonsense, under a schema too: what can be tested with it is everything about servers and nothing about captions.

With ``--brief`` it would rather end a string, a list or an object than go on. Nonsense by the page is cut off and never
passes a check; short nonsense, whose words still depend on all that was asked, sometimes does.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

SEED = 0
WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+"
VISION = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *VISION]
CORPUS = ["pick up the cup", "place it on the table", '{"caption": "reach", "id": 7}', "system user assistant\n"]
CHAT = """\
{% for message in messages %}<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}\
{% if part['type'] == 'image' or 'image_url' in part %}<|vision_start|><|image_pad|><|vision_end|>\
{% elif part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>\
{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
HIDDEN, HEADS, PATCH = 128, 4, 16
SPREAD = 0.02
"""Of the weights."""
ALWAYS_ON = 1.2
"""What a brief model has in the first place of every token: about as much as there is in all the others together."""
ATTENTIVE = 4.0
"""A brief model looks at few tokens and not at the mean of all, which is nearly the same for every question."""


def make(out: Path, *, brief: bool = False) -> None:
    """Write the checkpoint with its tokenizer and processors."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(out)
    _change(out / "tokenizer_config.json", tokenizer_class="Qwen2Tokenizer")  # the one the processor insists on
    _processors(out)
    ids = {word: tokenizer.convert_tokens_to_ids(word) for word in SPECIAL}
    model = Qwen3VLForConditionalGeneration(_config(len(tokenizer), ids))
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.normal_(0, SPREAD)
        if brief:
            _prefer(model, [_wish(word) for word in tokenizer.convert_ids_to_tokens(range(len(tokenizer)))])
    model.generation_config.eos_token_id = [ids["<|im_end|>"], ids["<|endoftext|>"]]
    model.generation_config.pad_token_id = ids["<|endoftext|>"]
    model.save_pretrained(out)


def _prefer(model: Qwen3VLForConditionalGeneration, wishes: list[float]) -> None:
    """Shift every word's odds by its wish, whatever was asked: the first place of the stream is a constant."""
    text = model.model.language_model
    text.embed_tokens.weight[:, 0] = ALWAYS_ON
    model.lm_head.weight[:, 0] = SPREAD * torch.tensor(wishes)
    for layer in text.layers:
        for reads in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj, *_mlp_reads(layer)):
            reads.weight[:, 0] = 0
        for writes in (layer.self_attn.o_proj, layer.mlp.down_proj):
            writes.weight[0] = 0
        layer.self_attn.q_norm.weight.fill_(ATTENTIVE)
        layer.self_attn.o_proj.weight *= ATTENTIVE


def _mlp_reads(layer: Any) -> tuple[Any, Any]:
    return layer.mlp.gate_proj, layer.mlp.up_proj


def _wish(word: str) -> float:
    """Ends before more of it, candidates before frames and the last one before others, words before signs."""
    if word in ('"', "]", "}"):
        return 2.0 if word == '"' else -2.0
    if word in "0123456789":
        return -4.0 + 0.4 * int(word)
    plain = word.removeprefix("Ġ")
    if word == "F" or not (plain.isascii() and plain.isalpha()):
        return -4.0
    return 2.0 if len(plain) > 1 else 0.0


def _tokenizer() -> PreTrainedTokenizerFast:
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made = Tokenizer(models.BPE(unk_token=None))
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(WORDS), behavior="isolated"), bytewise])
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=512, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(CORPUS * 20, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=SPECIAL[1:],
        model_max_length=8192,
    )
    tokenizer.chat_template = CHAT
    return tokenizer


def _processors(out: Path) -> None:
    pictures: dict[str, Any] = {
        "do_resize": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "do_convert_rgb": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "patch_size": PATCH,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "size": {"shortest_edge": 56 * 56, "longest_edge": 224 * 224},
        "processor_class": "Qwen3VLProcessor",
    }
    films = pictures | {"fps": 2, "min_frames": 4, "max_frames": 16, "video_processor_type": "Qwen3VLVideoProcessor"}
    (out / "preprocessor_config.json").write_text(
        json.dumps(pictures | {"image_processor_type": "Qwen2VLImageProcessor"})
    )
    (out / "video_preprocessor_config.json").write_text(json.dumps(films))


def _config(vocabulary: int, ids: dict[str, int]) -> Qwen3VLConfig:
    rope = {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 1e6, "mrope_interleaved": True}
    text = {
        "vocab_size": vocabulary,
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": HEADS,
        "num_key_value_heads": 2,
        "head_dim": HIDDEN // HEADS,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": False,
        "rope_parameters": rope,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
    }
    vision = {
        "depth": 3,
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_heads": HEADS,
        "out_hidden_size": HIDDEN,
        "patch_size": PATCH,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "deepstack_visual_indexes": [0, 1],
        "num_position_embeddings": 256,
        "in_channels": 3,
    }
    tokens = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
    tokens |= {"vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>"}
    config = Qwen3VLConfig(text_config=text, vision_config=vision, **{name: ids[word] for name, word in tokens.items()})
    config.dtype = "float32"
    return config


def _change(file: Path, **values: str) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values, indent=1))


if __name__ == "__main__":
    make(Path(sys.argv[1]), brief="--brief" in sys.argv[2:])
