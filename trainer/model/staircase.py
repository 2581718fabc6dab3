"""Staircase: a few continuous latents that think ahead in one parallel pass (wall_wm.md §3.7, trainer.md §2.7).

K_c latents. The first passes the conditioner's lower layers with the question. The others enter further up: latent k
starts as a projection, the same for all, of what latent k − 1 is at that depth, and goes on through the remaining
layers beside it. So each layer runs once, and yet every latent follows from the one before.

What the latents mean is taught twice. A prefix projector turns them into states a frozen decoder, the conditioner's
own, reads; it has to tell the chain from them: what is to be done now, and after that. And the denoiser reads them in
place of the caption, so that the action loss reaches the branch through every layer of both towers. Only branch and
projectors train: the lower layers, the decoder and the denoiser stay what they were.
"""

import copy

import torch
from torch import Tensor, nn

from trainer.model.conditioner import Conditioner, LanguageConfig, Layer, Understood, Woven, caption_sum
from trainer.model.wan import EPS
from trainer.story import StoryTokens


class Staircase(nn.Module):
    """The branch: its own copy of the conditioner's upper layers, and three projectors."""

    def __init__(self, config: LanguageConfig, text_width: int) -> None:
        super().__init__()
        width, self.latents = config.width, config.latents
        self.slot = nn.Parameter(torch.randn(width) * 0.5)
        """What the first latent is before the lower layers."""
        self.step = nn.Parameter(torch.randn(config.latents, width) * 0.5)
        """Which latent it is."""
        self.branch = nn.ModuleList(Layer(width, config.heads) for _ in range(config.upper))
        self.climb = _mlp(width, width)
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.prefix = _mlp(width, width)
        self.place = nn.Parameter(torch.randn(1 + config.limits.after, width) * 0.5)
        """Which event of the chain the prefix is for."""
        self.to_text = nn.Linear(width, text_width)

    def copy_from(self, upper: nn.ModuleList) -> None:
        """Start as the layers the branch leaves; to be called once these have their weights."""
        self.branch = copy.deepcopy(upper)

    def forward(self, understood: Understood) -> Tensor:
        """The latents [E, K_c, D]. Raises ValueError when nothing has passed the lower layers for them."""
        if understood.slot_ED is None:
            raise ValueError("the Staircase has no first latent: understand the question with its slot")
        woven = Woven(understood.lengths, self.latents, understood.slot_ED.device)
        first_ED = understood.slot_ED + self.step[0]
        waiting_EKD = first_ED.new_zeros(len(first_ED), self.latents - 1, first_ED.shape[1])
        x_SD = woven.together(understood.halfway_SD, torch.cat([first_ED[:, None], waiting_EKD], dim=1))
        for depth, layer in enumerate(self.branch):
            for k in range(1, self.latents):
                # A latent that waits is seen by none but those after it, which wait too.
                if k * len(self.branch) // self.latents == depth:
                    entering_ED = self.climb(x_SD[woven.later_EK[:, k - 1]]) + self.step[k]
                    x_SD = x_SD.index_copy(0, woven.later_EK[:, k], entering_ED.to(x_SD.dtype))
            x_SD = layer(x_SD, woven.segments, woven.masks)
        latents_EKD: Tensor = self.norm(x_SD[woven.later_EK])
        return latents_EKD

    def text(self, latents_EKD: Tensor) -> Tensor:
        """What the denoiser reads instead of a caption [E·K_c, text width]."""
        out: Tensor = self.to_text(latents_EKD).flatten(0, 1)
        return out

    def prefixes(self, latents_EKD: Tensor, place: int) -> Tensor:
        """States [E·K_c, D] from which the frozen decoder tells the event at this place of the chain."""
        out: Tensor = self.prefix(latents_EKD + self.place[place]).flatten(0, 1)
        return out


def chain_sum(staircase: Staircase, conditioner: Conditioner, latents_EKD: Tensor, story: StoryTokens) -> Tensor:
    """How badly the frozen decoder tells the chain from the latents: nats per byte, summed over its events."""
    total = latents_EKD.new_zeros((), dtype=torch.float32)
    lengths = [latents_EKD.shape[1]] * len(latents_EKD)
    for place, answers in enumerate(story.chain):
        states_SD = staircase.prefixes(latents_EKD, place)
        hidden_ELD = conditioner.decoder(answers.read_EL, states_SD, lengths)
        total = total + caption_sum(conditioner.decoder.head(hidden_ELD), answers)
    return total


def told(staircase: Staircase, conditioner: Conditioner, latents_EKD: Tensor, events: int) -> list[Tensor]:
    """The chain in bytes, greedily: tokens [E, L] of each of its events."""
    lengths = [latents_EKD.shape[1]] * len(latents_EKD)
    most = conditioner.config.limits.answer
    return [conditioner.decoder.write(staircase.prefixes(latents_EKD, place), lengths, most) for place in range(events)]


def chain_count(story: StoryTokens) -> float:
    """How many events of chains have a caption: what `chain_sum` is divided by."""
    return float(sum(int(answers.counted_E.sum()) for answers in story.chain))


def _mlp(width: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.GELU("tanh"), nn.Linear(width, out))
