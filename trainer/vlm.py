"""A frozen vision-language model by path: pictures and a question in, hidden states out (wall_wm.md §3.7).

Any causal language model transformers can load, with pictures where it takes them (`AutoModelForImageTextToText`) and
words alone where it does not. It is asked, never trained: no gradient, no optimiser state, no place in a checkpoint;
the configuration names its folder. Windows start anywhere, so what it sees is different at every draw and it runs
beside the training step, once over the question. Its own head is not used: the answer is decoded by ours, which is
small.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainer.model.conditioner import LanguageConfig
from trainer.story import Foreign, Story

_ASKS = "Task: {task}\nDone: {done}\nWhat is to be done next?\n"


def question_of(story: Story, most: int) -> str:
    """The words it is asked with: everything it may know, nothing of the answer."""
    done = "; ".join(story.before[-most:]) or "nothing"
    return _ASKS.format(task=story.instruction or "unknown", done=done)


@dataclass(frozen=True, eq=False)
class FrozenVlm:
    """A model with its processor (pictures and words) or its tokenizer (words alone)."""

    model: Any
    processor: Any
    sees: bool
    layer: int
    before: int

    @staticmethod
    def load(config: LanguageConfig, device: torch.device) -> "FrozenVlm":
        """From the folder the configuration names, without the network.

        Raises ValueError for a folder that is no such model or has another width, ImportError naming the extra.
        """
        try:
            import transformers  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ImportError("transformers is not installed: pip install 'joinery[train]'") from error
        try:
            own = transformers.AutoConfig.from_pretrained(config.vlm, local_files_only=True)
            sees = type(own) in transformers.AutoModelForImageTextToText._model_mapping
            kind = transformers.AutoModelForImageTextToText if sees else transformers.AutoModelForCausalLM
            loader = transformers.AutoProcessor if sees else transformers.AutoTokenizer
            model: Any = kind.from_pretrained(config.vlm, local_files_only=True)
            processor = loader.from_pretrained(config.vlm, local_files_only=True)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{config.vlm}: no vision-language or language model of transformers ({error}); "
                "`model.language.vlm` names a folder written by `save_pretrained`, with its processor"
            ) from error
        width = own.get_text_config().hidden_size
        depth = own.get_text_config().num_hidden_layers
        if width != config.vlm_width or not 0 < config.vlm_layer < depth:
            raise ValueError(
                f"{config.vlm}: its states are {width} wide after {depth} layers, found vlm_width = {config.vlm_width} "
                f"and vlm_layer = {config.vlm_layer}; expected {width}, and a layer between 1 and {depth - 1}"
            )
        model.requires_grad_(False)
        return FrozenVlm(model.to(device).eval(), processor, sees, config.vlm_layer, config.limits.before)

    @torch.no_grad()
    def understand(self, stories: Sequence[Story]) -> Foreign:
        """States of every question, each asked by itself: no padding, so nothing depends on the rest of the pack."""
        found = [self._states(story) for story in stories]
        halfway = [states[self.layer][0] for states in found]
        top = [states[-1][0] for states in found]
        return Foreign(torch.cat(halfway).float(), torch.cat(top).float(), tuple(map(len, top)))

    def _states(self, story: Story) -> tuple[Tensor, ...]:
        device = next(self.model.parameters()).device
        given = self._asked(story).to(device)
        out: tuple[Tensor, ...] = self.model(**given, output_hidden_states=True, use_cache=False).hidden_states
        return out

    def _asked(self, story: Story) -> Any:
        words = question_of(story, self.before)
        if not self.sees:
            return self.processor(words, return_tensors="pt")
        from PIL import Image  # noqa: PLC0415 - comes with the extra

        pictures = [Image.fromarray(pixels) for pixels in story.pictures]
        if getattr(self.processor, "chat_template", None):
            said = [*({"type": "image"} for _ in pictures), {"type": "text", "text": words}]
            asked = [{"role": "user", "content": said}]
            words = self.processor.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
        else:
            words = "".join(str(getattr(self.processor, "image_token", "<image>")) for _ in pictures) + words
        return self.processor(text=words, images=pictures or None, return_tensors="pt")
