"""What the model imagines of a few held-out events, every so many steps of training, beside what was recorded.

Losses do not show a hand that dissolves. The events are fixed, and so is the noise of each: pictures of two steps, or
of two runs, differ by the model alone. Nothing of training is touched: noise comes from generators of its own, the
weights are the moving average where there is one, put back to the bit, and the journal's clock stands still meanwhile.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from pipeline.loader.decode import Pixels
from trainer.eval.drawing import action_plot, clip, filmstrip, png
from trainer.eval.held_out import HeldOut, covered
from trainer.eval.predictors import displacements, sampling_for, seed_of
from trainer.infer import Imagined, denoise
from trainer.journal import Journal
from trainer.loop import Trainer

FOLDER = "samples"


@dataclass(frozen=True, eq=False)
class Samples:
    """Which events to imagine, and how often."""

    events: Sequence[HeldOut]
    every: int
    """Steps of training from one set of pictures to the next; the last step has one too."""
    steps: int = 20
    """Of the sampler."""
    seed: int = 0

    def due(self, step: int, n_steps: int) -> bool:
        return step % self.every == 0 or step == n_steps

    def show(self, trainer: Trainer, out: Path, journal: Journal) -> None:
        """Imagine every event with the weights of now; all ranks take part, the first writes."""
        sampling = sampling_for(trainer.config, self.steps)
        with nullcontext() if trainer.average is None else trainer.average.in_place(), torch.no_grad():
            for event in self.events:
                with trainer.precision():
                    imagined = denoise(
                        trainer.model,
                        event.example,
                        sampling,
                        seed_of(self.seed, event.event_id),
                        prediction=trainer.config.loss.action_prediction,
                    )
                if trainer.ranks.is_first:
                    self._write(event, imagined, trainer.step, out, journal)
        journal.leave_out()

    def _write(self, event: HeldOut, imagined: Imagined, step: int, out: Path, journal: Journal) -> None:
        folder = out / FOLDER / f"step-{step:08d}"
        folder.mkdir(parents=True, exist_ok=True)
        cameras = _videos(event, imagined)
        title = f"step {step}: {event.caption or event.event_id}"
        strip = filmstrip(cameras, title)
        (folder / f"{event.event_id}.png").write_bytes(png(strip))
        (folder / f"{event.event_id}.mp4").write_bytes(clip(cameras, 1.0 / event.seconds_per_frame))
        journal.show(f"imagined/{event.event_id}", strip, step)
        plot = _plot(event, imagined, title)
        if plot is not None:
            (folder / f"{event.event_id}-actions.png").write_bytes(png(plot))
            journal.show(f"actions/{event.event_id}", plot, step)


def _videos(event: HeldOut, imagined: Imagined) -> dict[str, dict[str, Pixels]]:
    """Per camera: what was recorded, what the codec leaves of it, and what is imagined; without borders."""
    example, found = event.example, {}
    for view, (camera, recorded) in enumerate(event.pictures.items()):
        rows, columns = covered(example.picture_VHW[view], recorded)
        kept, said = (
            event.codec.decode(codes[view].float()) for codes in (example.latents_VFCHW, imagined.latents_VFCHW)
        )
        videos = {"recorded": recorded, "as the codec keeps it": kept, "imagined": said}
        found[camera] = {name: video[:, rows, columns] for name, video in videos.items()}
    return found


def _plot(event: HeldOut, imagined: Imagined, title: str) -> Pixels | None:
    example = event.example
    known_20, valid_K = example.action_known_A.numpy(), example.valid_K.numpy()
    if event.stats is None or not known_20.any() or not valid_K.any():
        return None
    true, said = (displacements(actions, event.stats) for actions in (example.actions_KA, imagined.actions_KA.float()))
    return action_plot(event.action_times_s, true, said, known_20, valid_K, title)
