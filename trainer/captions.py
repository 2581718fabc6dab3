"""Captions as a frozen text encoder reads them: computed once per distinct caption, kept as files, read in training.

UMT5-XXL has 5.7 billion parameters and one answer per caption, so it has no place in the training loop. Before the
first step, `encode_missing` runs it over the captions that are not in the cache yet and lets go of it; loader workers
read the files. A file is named by the caption and lies under the digest of the encoder (weights, tokeniser, length):
another encoder finds nothing of this one's.

Wan reads captions padded with zeros to 512 tokens, without a mask, in training as in sampling. The padding is part of
what its cross-attention was trained on, so it is put back when events are packed; the cache holds the caption's own
tokens only.
"""

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from trainer.codec import digest_of, folder_digest, part_of

NO_WORDS = ""
"""What a dropped caption is: the encoder's own reading of an empty text, as in Wan's training."""
_TENSOR = "features"
_MOST_READ = 256
"""Captions a reader keeps: at 4096 numbers a token and a dozen tokens, 25 MB."""


@dataclass(frozen=True, eq=False)
class CaptionFeatures:
    """One caption's features."""

    tokens_SC: Tensor
    """bfloat16: of the caption's own tokens, its end mark included."""
    empty_SC: Tensor
    """The same of the empty caption."""
    length: int
    """How many tokens the model reads; zeros after the caption's own."""

    def dropped(self) -> "CaptionFeatures":
        """As if there were no caption."""
        return replace(self, tokens_SC=self.empty_SC)

    def padded(self) -> Tensor:
        """float32 [length, C]."""
        padding = self.length - len(self.tokens_SC)
        return torch.nn.functional.pad(self.tokens_SC.float(), (0, 0, 0, padding))


@dataclass(frozen=True)
class CaptionCache:
    """Features of captions under one encoder; small, and the same in every process that is handed it."""

    folder: Path
    digest: str
    length: int

    def path_of(self, caption: str) -> Path:
        """Where a caption's features are kept."""
        name = hashlib.sha256(cleaned(caption).encode()).hexdigest()
        return self.folder / "captions" / self.digest[:16] / name[:2] / f"{name}.safetensors"

    def holds(self, caption: str) -> bool:
        return self.path_of(caption).is_file()

    def read(self, caption: str) -> CaptionFeatures:
        """Raises FileNotFoundError naming the caption nobody encoded, ValueError for a file that is broken."""
        return CaptionFeatures(self._tokens(caption), self._tokens(NO_WORDS), self.length)

    def _tokens(self, caption: str) -> Tensor:
        path = self.path_of(caption)
        try:
            with safe_open(str(path), framework="pt") as opened:
                found: Tensor = opened.get_tensor(_TENSOR)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"{path}: the caption {caption!r} has not been encoded; run `joinery encode` over this plan"
            ) from error
        except SafetensorError as error:
            raise ValueError(f"{path}: broken ({error}); delete it and run `joinery encode` again") from error
        return found

    def write(self, caption: str, tokens_SC: Tensor) -> None:
        """Keep a caption's features; a file appears whole or not at all."""
        save_whole({_TENSOR: tokens_SC.contiguous()}, self.path_of(caption))


class TextEncoder:
    """UMT5 and its tokeniser, frozen, in bfloat16."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        """Open ``text_encoder`` and ``tokenizer`` of a pipeline's folder, or one folder that holds both.

        Raises FileNotFoundError, or ImportError without transformers.
        """
        from transformers import AutoTokenizer, UMT5EncoderModel  # noqa: PLC0415 - an extra, and slow to import

        weights, words = encoder_folders(folder)
        self._tokeniser: Any = AutoTokenizer.from_pretrained(words, local_files_only=True)
        encoder: Any = UMT5EncoderModel.from_pretrained(weights, dtype=torch.bfloat16, local_files_only=True)
        self._encoder = encoder.eval().requires_grad_(False).to(device)
        self._device = device

    @torch.no_grad()
    def encode(self, caption: str, length: int) -> Tensor:
        """bfloat16 [tokens, C] on the CPU, cut after ``length`` tokens.

        One caption at a time, without padding: what comes out does not depend on what it is read together with.
        """
        read = self._tokeniser(cleaned(caption), max_length=length, truncation=True, return_tensors="pt")
        found: Tensor = self._encoder(input_ids=read.input_ids.to(self._device)).last_hidden_state[0]
        return found.cpu()


class CaptionReader:
    """A text encoder that stays open, for who is told captions one at a time: a policy, an evaluation.

    What has been read lately is kept: a task says the same few things again and again.
    """

    def __init__(self, folder: Path, length: int, device: torch.device) -> None:
        """Open the encoder of a folder. Raises FileNotFoundError, or ImportError without transformers."""
        self._encoder, self._length = TextEncoder(folder, device), length
        self._read: OrderedDict[str, Tensor] = OrderedDict()

    def read(self, caption: str) -> CaptionFeatures:
        """The same features that a training run has kept."""
        return CaptionFeatures(self._tokens(cleaned(caption)), self._tokens(NO_WORDS), self._length)

    def _tokens(self, caption: str) -> Tensor:
        found = self._read.pop(caption, None)
        self._read[caption] = self._encoder.encode(caption, self._length) if found is None else found
        while len(self._read) > _MOST_READ:
            self._read.popitem(last=False)
        return self._read[caption]


def cleaned(caption: str) -> str:
    """With single spaces: what Wan's own pipeline does to a prompt before it is read."""
    return " ".join(caption.split())


def encoder_folders(folder: Path) -> tuple[Path, Path]:
    """Where encoder and tokeniser are, of a pipeline's folder or of one that holds both."""
    return part_of(folder, "text_encoder"), part_of(folder, "tokenizer")


def caption_cache(folder: Path, encoder: Path, length: int) -> CaptionCache:
    """The cache of an encoder's features; reads all its bytes once for their digest."""
    return CaptionCache(folder, digest_of([folder_digest(*encoder_folders(encoder)), length]), length)


def missing(cache: CaptionCache, captions: Iterable[str]) -> list[str]:
    """Distinct captions the cache lacks, the empty one among them, sorted."""
    return sorted({cleaned(caption) for caption in (NO_WORDS, *captions) if not cache.holds(caption)})


def encode_missing(
    cache: CaptionCache, captions: Iterable[str], encoder: Path, device: torch.device
) -> Iterator[tuple[int, int]]:
    """Encode what is missing; yields how many are done, of how many. Without any the encoder is not even opened."""
    wanted = missing(cache, captions)
    opened = TextEncoder(encoder, device) if wanted else None
    for done, caption in enumerate(wanted, start=1):
        assert opened is not None
        cache.write(caption, opened.encode(caption, cache.length))
        yield done, len(wanted)


def save_whole(tensors: dict[str, Tensor], path: Path, about: dict[str, str] | None = None) -> None:
    """Write safetensors so that nobody, after a kill or beside another process, sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    save_file(tensors, partial, about)
    os.replace(partial, path)
