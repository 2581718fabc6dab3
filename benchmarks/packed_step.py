"""Tokens per second of a packed step, beside a padded one and beside diffusers' Wan, on one ragged batch of events.

Four ways to one gradient, with the same weights, on the same events, in one run, forward and backward:

- ``packed``: our video tower, events end to end, segments;
- ``padded``: the same tower with every event as long as the longest, its tail not counted in the loss;
- ``diffusers, padded``: `WanTransformer3DModel` on one padded batch. It has no mask, so short events attend to their
  padding: it computes something else as well as more;
- ``diffusers, one by one``: the same, an event at a time, gradients accumulated: what is right without packing.

Only tokens of events count as tokens. Velocities of ``packed`` and ``one by one`` are compared before anything is
timed. Rounds of all four are interleaved, and each one's quickest round counts, so that a busy machine spoils none of
them more than the others.

``python -m benchmarks.packed_step [--device cuda] [--out FILE]`` fails when packing is slower than padding.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.ragged import TEXT_LENGTH, event, latent_lengths, quickest
from clustering.torchvision_schemas import declare
from trainer.batch import Batch, Example, latents_from, pack
from trainer.configs import ModelConfig, single_view, wan21_1_3b
from trainer.convert import exported
from trainer.device import to_device
from trainer.flow import Noise, Noised, Schedule, Sigmas, add_noise, draw_noise
from trainer.losses import LossConfig, video_sum
from trainer.model.wam import WallWM, build

SCHEDULE = Schedule(Sigmas("uniform", shift=3.0), None)


def scaled(width: int, depth: int) -> ModelConfig:
    """Wan2.1-1.3B in proportion, narrower and shallower."""
    config = single_view(wan21_1_3b().model)
    video = replace(config.video, width=width, ffn_width=width * 35 // 6, heads=max(width // 128, 1), depth=depth)
    return replace(config, video=video, text=replace(config.text, width=256, max_words=TEXT_LENGTH))


def lengthened(one: Example, frames: int) -> Example:
    """The event padded to a number of latent frames."""
    shape = one.latents_VFCHW.shape
    padding = one.latents_VFCHW.new_zeros(shape[0], frames - shape[1], *shape[2:])
    return replace(one, latents_VFCHW=torch.cat([one.latents_VFCHW, padding], dim=1))


class Ours:
    """Our tower on a pack."""

    def __init__(self, model: WallWM, examples: Sequence[Example], device: torch.device, real: Sequence[int]) -> None:
        batch = pack(examples)
        noise = draw_noise(examples, range(len(examples)), 0, SCHEDULE)
        places = batch.video.position_T3[:, 0]
        counted = places < torch.tensor(real)[batch.video.event_T]
        mask = batch.video.mask_TP & counted[:, None]
        self.batch: Batch = to_device(replace(batch, video=replace(batch.video, mask_TP=mask)), device)
        self.noise: Noise = to_device(noise, device)
        self.seen: Noised = add_noise(self.batch, self.noise)
        self.model, self._device = model, device

    def step(self) -> None:
        """Forward and backward."""
        with _half(self._device):
            out = self.model(self.batch, self.seen, with_action=False).video_TP
        video_sum(out, self.batch, self.noise, LossConfig()).backward()


class Theirs:
    """diffusers' model on the same noised events, in batches of as many events as are given together."""

    def __init__(self, model: Any, ours: Ours, examples: Sequence[Example], together: bool, frames: int) -> None:
        self.model, self._device = model, ours.batch.video.clean_TP.device
        rows = [part for part, _ in ours.batch.video.within.slices()]
        of_events = [_one(ours, part, each) for part, each in zip(rows, examples, strict=True)]
        groups = [of_events] if together else [[each] for each in of_events]
        self.inputs = [_stacked(group, frames if together else 0) for group in groups]

    def step(self) -> None:
        """Forward and backward."""
        for pictures, timesteps, text, target, mask in self.inputs:
            with _half(self._device):
                out = self.model(pictures, timesteps, text, return_dict=False)[0]
            ((out.float() - target).square() * mask).mean().backward()


def _one(ours: Ours, part: slice, one: Example) -> tuple[Tensor, ...]:
    """Noised latents, timesteps of tokens, features and target of one event of a pack."""
    batch, video = ours.batch, ours.batch.video
    shape = one.latents_VFCHW.shape
    back = (shape[0], shape[1], shape[2], shape[3], shape[4])
    pictures, target = (
        latents_from(values[part], back)[0].transpose(0, 1)
        for values in (ours.seen.video_TP, ours.noise.video_TP - video.clean_TP)
    )
    event_index = int(video.event_T[part][0])
    assert batch.text.features_SC is not None
    text = batch.text.features_SC[event_index * TEXT_LENGTH : (event_index + 1) * TEXT_LENGTH]
    return pictures, ours.seen.video_sigma_R[video.row_T[part]] * 1000, text, target


def _stacked(group: Sequence[tuple[Tensor, ...]], frames: int) -> tuple[Tensor, ...]:
    """One batch of events, padded to ``frames`` latents (0: as long as the one event there is)."""
    frames = frames or group[0][0].shape[1]

    def stretched(values_CFHW: Tensor) -> Tensor:
        return torch.nn.functional.pad(values_CFHW, (0, 0, 0, 0, 0, frames - values_CFHW.shape[1]))

    per_frame = group[0][1].numel() // group[0][0].shape[1]
    steps = [torch.nn.functional.pad(each[1], (0, frames * per_frame - len(each[1]))) for each in group]
    masks = [stretched(torch.ones_like(each[0])) for each in group]
    pictures, targets = ([stretched(each[i]) for each in group] for i in (0, 3))
    return (
        torch.stack(pictures), torch.stack(steps), torch.stack([each[2] for each in group]),
        torch.stack(targets), torch.stack(masks),
    )  # fmt: skip


def _half(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def seconds(step: Callable[[], object], device: torch.device) -> float:
    """Of one step."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    begun = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


@torch.no_grad()
def largest_difference(ours: Ours, one_by_one: Theirs) -> float:
    """Between our velocities and diffusers', over all events, in float32."""
    out = ours.model(ours.batch, ours.seen, with_action=False).video_TP
    most = 0.0
    for (part, _), inputs in zip(ours.batch.video.within.slices(), one_by_one.inputs, strict=True):
        theirs = one_by_one.model(*inputs[:3], return_dict=False)[0][0].transpose(0, 1)[None]
        found = latents_from(out[part], tuple(theirs.shape))
        most = max(most, float((found - theirs).abs().max()))
    return most


def main() -> None:
    """Measure all four and compare."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    arguments.add_argument("--events", type=int, default=12)
    arguments.add_argument("--frames", type=int, default=17, help="Latent frames of the longest event.")
    arguments.add_argument("--side", type=int, default=4, help="Tokens along a side of a latent frame.")
    arguments.add_argument("--width", type=int, default=256)
    arguments.add_argument("--depth", type=int, default=4)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--out", type=Path, help="Also write the table here.")
    given = arguments.parse_args()
    declare()
    import diffusers  # noqa: PLC0415 - after `declare`

    device, config = torch.device(given.device), scaled(given.width, given.depth)
    real = sorted([*latent_lengths(given.events - 1, given.frames, 0), given.frames])
    shape = {"channels": config.video.latent_channels, "side": given.side, "text_width": config.text.width}
    examples = [event(frames, seed=seed, **shape) for seed, frames in enumerate(real)]
    model = build(config, 0)
    torch.manual_seed(0)
    torch.nn.init.normal_(model.video.head.head.weight, std=0.02)  # zero at first: nothing to compare
    video = config.video
    oracle = diffusers.WanTransformer3DModel(
        num_attention_heads=video.heads, attention_head_dim=video.width // video.heads,
        in_channels=video.latent_channels, out_channels=video.latent_channels, text_dim=config.text.width,
        freq_dim=video.time_frequencies, ffn_dim=video.ffn_width, num_layers=video.depth,
    )  # fmt: skip
    oracle.load_state_dict(exported(model.video, "diffusers"))
    model.to(device)
    oracle.to(device)
    packed = Ours(model, examples, device, real)
    padded = Ours(model, [lengthened(each, given.frames) for each in examples], device, real)
    alone = Theirs(oracle, packed, examples, together=False, frames=given.frames)
    together = Theirs(oracle, packed, examples, together=True, frames=given.frames)
    ways = {
        "packed": packed.step, "padded": padded.step, "diffusers, padded": together.step,
        "diffusers, one by one": alone.step,
    }  # fmt: skip
    difference = largest_difference(packed, alone)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(given.rounds + 1):
        for name, step in ways.items():
            taken = seconds(step, device)
            if number:  # the first round warms up
                times[name].append(taken)
    tokens = sum(each.n_video for each in examples)
    fill = tokens / (len(examples) * given.frames * given.side**2)
    best = {name: quickest(found) for name, found in times.items()}
    lines = [
        f"{given.device}, {'bfloat16' if device.type == 'cuda' else 'float32'}, width {video.width}, depth "
        f"{video.depth}, {torch.get_num_threads()} threads; {len(examples)} events of {real} latents, {tokens} tokens, "
        f"{fill:.2f} of the padded batch",
        f"largest difference of velocities, packed and diffusers one by one: {difference:.1e}",
        *(
            f"{name:22} {tokens / taken:10,.0f} tokens/s   {taken:7.3f} s   packed is {taken / best['packed']:5.2f} ×"
            for name, taken in best.items()
        ),
    ]
    print("\n".join(lines))
    if given.out is not None:
        given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if best["packed"] >= best["padded"] or difference > 1e-3:
        sys.exit(1)


if __name__ == "__main__":
    main()
