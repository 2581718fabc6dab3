"""What events are read through: the frozen codec and text encoder of a configuration, and what of theirs is kept.

`Stored` is the half that loader workers get: the caches, if any, and no weights. `Inputs` is the whole, held by the
process that trains. An example whose latents are in no cache leaves its worker without them, with its pictures beside
it, and is finished here. `tiny` has neither cache nor weights: its examples are whole in the worker.

Who asks a model rather than trains it keeps nothing: `inputs_to_ask` opens codec and encoder and leaves them open.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from pipeline.loader.stats import ActionStats
from pipeline.loader.window import SeenClip, Window
from trainer.batch import Example
from trainer.captions import CaptionCache, CaptionFeatures, CaptionReader, caption_cache
from trainer.codec import Codec, ToyCodec, codec_of
from trainer.configs import TrainConfig
from trainer.example import Fitted, Shown, encoded, example_of, fitted_views
from trainer.latent_cache import LatentCache, ViewLatents, kept


@dataclass(frozen=True)
class Pretrained:
    """Where a run's frozen parts are, and where what they make is kept."""

    vae: Path | None = None
    text_encoder: Path | None = None
    cache: Path | None = None


@dataclass(frozen=True, eq=False)
class Waiting:
    """Pictures no codec has seen yet."""

    clips: tuple[SeenClip, ...]
    views: Fitted


@dataclass(frozen=True)
class Stored:
    """The caches a worker reads from."""

    latents: LatentCache | None = None
    captions: CaptionCache | None = None

    def example(
        self,
        shown: Shown | Window,
        stats: ActionStats | None,
        config: TrainConfig,
        features: CaptionFeatures | None = None,
    ) -> tuple[Example, Waiting | None]:
        """An event's example, and the pictures it still lacks latents of. Raises ValueError naming what is amiss."""
        if self.captions is not None:
            features = self.captions.read(shown.event.caption)
        if self.latents is None and not config.data.codec.has_weights:
            return example_of(shown, stats, config, features=features), None
        if self.latents is not None and self.latents.holds(shown.clips):
            return example_of(shown, stats, config, self.latents.read(shown.clips), features), None
        if self.latents is not None and not shown.pixels:
            path = self.latents.path_of(shown.clips)
            raise FileNotFoundError(f"{path}: gone since it was looked up; leave the cache alone while runs read it")
        views = fitted_views(shown, config.data)
        unseen = ViewLatents(torch.zeros(0), views.sizes)
        return example_of(shown, stats, config, unseen, features), Waiting(shown.clips, views)


@dataclass(frozen=True, eq=False)
class Inputs:
    """Codec and caches of one run."""

    codec: Codec = field(default_factory=ToyCodec)
    stored: Stored = Stored()
    reader: CaptionReader | None = None
    """Of captions nobody has kept; None where there is a cache, or words are looked up."""

    def finished(self, example: Example, waiting: Waiting | None) -> Example:
        """The example with its latents: the very ones that a later run reads from the cache."""
        if waiting is None:
            return example
        views = encoded(waiting.views, self.codec)
        if self.stored.latents is not None:
            self.stored.latents.write(waiting.clips, views)
        return replace(example, latents_VFCHW=kept(views.latents_VFCHW))

    def example(self, shown: Shown | Window, stats: ActionStats | None, config: TrainConfig) -> Example:
        """A whole example, made here."""
        features = None if self.reader is None else self.reader.read(shown.event.caption)
        return self.finished(*self.stored.example(shown, stats, config, features))


def inputs_of(config: TrainConfig, pretrained: Pretrained, device: torch.device) -> Inputs:
    """Open what a configuration reads events through in training, and what keeps it.

    Raises ValueError when paths and configuration do not belong together, FileNotFoundError for a folder that is not
    there, ImportError without the ``train`` extra.
    """
    data, text = config.data, config.model.text
    codec, encoder = codec_of(data.codec, pretrained.vae, device), _check_encoder(config, pretrained)
    if not data.codec.has_weights and not text.encoded:
        return Inputs(codec)
    if pretrained.cache is None:
        raise ValueError(f"configuration {config.name} keeps latents and caption features; name a folder (--cache)")
    latents = LatentCache(pretrained.cache, codec.digest, (data.height, data.width)) if data.codec.has_weights else None
    captions = None
    if encoder is not None:
        captions = caption_cache(pretrained.cache, encoder, text.max_words)
    return Inputs(codec, Stored(latents, captions))


def inputs_to_ask(config: TrainConfig, pretrained: Pretrained, device: torch.device) -> Inputs:
    """Open what a trained model is asked through: nothing is kept, and the text encoder stays open. Raises as above."""
    codec, encoder = codec_of(config.data.codec, pretrained.vae, device), _check_encoder(config, pretrained)
    reader = None if encoder is None else CaptionReader(encoder, config.model.text.max_words, device)
    return Inputs(codec, reader=reader)


def _check_encoder(config: TrainConfig, pretrained: Pretrained) -> Path | None:
    """The text encoder's folder. Raises ValueError when one is missing, or one too many."""
    encoder = pretrained.text_encoder
    if config.model.text.encoded and encoder is None:
        raise ValueError(f"configuration {config.name} reads captions with UMT5; name its folder (--text-encoder)")
    if not config.model.text.encoded and encoder is not None:
        raise ValueError(f"{encoder}: configuration {config.name} looks words up and takes no encoder")
    return encoder
