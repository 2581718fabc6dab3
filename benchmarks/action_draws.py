"""Six action draws over one pass of the video, beside six passes: the K = 6 trick of the action stage, measured.

Both give the same loss and, to rounding, the same gradient of the action tower (checked before anything is timed;
`tests/trainer/test_losses.py` holds the loss to 1e-6). Towers in the proportions of `wan21-1.3b`, the video frozen as
in that stage, forward and backward of the action loss. There are 9 video tokens to an action here, where a median
event of that configuration has 150: the ratio grows with it, towards 6. Rounds are interleaved and the quickest of
each counts.

``python -m benchmarks.action_draws [--device cuda] [--out FILE]`` fails below the floor of 3 ×.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.packed_step import scaled, seconds
from benchmarks.ragged import event, latent_lengths, quickest
from trainer.batch import Batch, pack
from trainer.configs import ModelConfig, wan21_1_3b
from trainer.device import to_device
from trainer.flow import Noise, add_noise, draw_noise
from trainer.losses import LossConfig, action_sum
from trainer.model.wam import WallWM, build
from trainer.stages import STAGES, freeze

FLOOR = 3.0
CONFIG = wan21_1_3b("action")
DRAWS = CONFIG.schedule.action_draws


def sized(width: int, depth: int) -> ModelConfig:
    """Both towers in the proportions of 1.3B: the action tower half as wide."""
    config = scaled(width, depth)
    action = replace(CONFIG.model.action, width=width // 2, ffn_width=2 * width, heads=max(width // 128, 1))
    return replace(config, action=action, detach_video=True)


def action_loss(model: WallWM, batch: Batch, noise: Noise) -> Tensor:
    """Sum over a pack's events of the mean over its draws."""
    seen = add_noise(batch, noise)
    with torch.autocast(noise.video_TP.device.type, torch.bfloat16, enabled=noise.video_TP.is_cuda):
        out = model(batch, seen).action_SA
    return action_sum(out, batch, seen, noise, LossConfig())


def alone(noise: Noise, draw: int, lengths: list[int]) -> Noise:
    """One draw's noise of a pack of several."""
    parts = noise.action_SA.split([length for length in lengths for _ in range(DRAWS)])
    return replace(noise, action_SA=torch.cat(parts[draw::DRAWS]), action_sigma_D=noise.action_sigma_D[draw::DRAWS])


def gradients(model: WallWM, step: Callable[[], Tensor]) -> tuple[float, list[Tensor]]:
    """Loss and gradients of the action tower."""
    model.zero_grad(set_to_none=True)
    loss = float(step())
    return loss, [each.grad.clone() for each in model.action.parameters() if each.grad is not None]


def main() -> None:
    """Compare, then measure."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    arguments.add_argument("--events", type=int, default=4)
    arguments.add_argument("--frames", type=int, default=9)
    arguments.add_argument("--side", type=int, default=8)
    arguments.add_argument("--actions", type=int, default=32)
    arguments.add_argument("--width", type=int, default=256)
    arguments.add_argument("--depth", type=int, default=3)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--out", type=Path, help="Also write the table here.")
    given = arguments.parse_args()
    device, config = torch.device(given.device), sized(given.width, given.depth)
    frames = [*latent_lengths(given.events - 1, given.frames, 0), given.frames]
    shape = {"channels": config.video.latent_channels, "side": given.side, "text_width": config.text.width}
    events = [event(n, actions=given.actions, seed=seed, **shape) for seed, n in enumerate(frames)]
    model = build(config, 0)
    torch.nn.init.normal_(model.action.head.head.weight, std=0.02, generator=torch.Generator().manual_seed(0))
    freeze(model, STAGES["action"])
    model.to(device)
    lengths = [1 + len(each.actions_KA) for each in events]
    noise = draw_noise(events, range(len(events)), 0, CONFIG.schedule)
    shared_batch, single = (to_device(pack(events, draws), device) for draws in (DRAWS, 1))
    parts = [to_device(alone(noise, draw, lengths), device) for draw in range(DRAWS)]
    noise = to_device(noise, device)

    def shared() -> Tensor:
        loss = action_loss(model, shared_batch, noise)
        loss.backward()
        return loss.detach()

    def separate() -> Tensor:
        total = torch.zeros((), device=device)
        for part in parts:
            loss = action_loss(model, single, part) / DRAWS
            loss.backward()
            total = total + loss.detach()
        return total

    (one, of_one), (six, of_six) = gradients(model, shared), gradients(model, separate)
    largest = max(float(each.abs().max()) for each in of_six)
    apart = max(float((a - b).abs().max()) for a, b in zip(of_one, of_six, strict=True)) / largest
    times: dict[str, list[float]] = {"shared": [], "separate": []}
    for _ in range(given.rounds):
        times["shared"].append(seconds(shared, device))
        times["separate"].append(seconds(separate, device))
    best = {name: quickest(found) for name, found in times.items()}
    ratio = best["separate"] / best["shared"]
    tokens = sum(each.n_video for each in events)
    lines = [
        f"{given.device}, video {config.video.width} wide, actions {config.action.width}, depth {config.video.depth}, "
        f"{torch.get_num_threads()} threads; {tokens} video tokens, {len(events)} × {given.actions} actions",
        f"loss {one:.6f} and {six:.6f}; gradients apart by {apart:.1e} of their largest",
        f"one video pass for {DRAWS} draws  {best['shared']:7.3f} s",
        f"{DRAWS} passes               {best['separate']:7.3f} s   {ratio:.2f} × (floor {FLOOR:g})",
    ]
    print("\n".join(lines))
    if given.out is not None:
        given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if ratio < FLOOR or (device.type == "cpu" and apart > 1e-4):
        sys.exit(1)


if __name__ == "__main__":
    main()
