"""How an event is denoised: the numbers of the sampler, apart from the sampler, so that a checkpoint can carry them."""

from dataclasses import dataclass
from typing import Literal

from trainer.flow import Schedule


@dataclass(frozen=True)
class Sampling:
    """How many steps, and on which levels."""

    mode: Literal["symmetric", "asymmetric"] = "symmetric"
    """``symmetric``: both towers go from noise to data together, a pass of both each step. ``asymmetric``: one pass of
    the video tower at ``anchor``, which every step of the actions reads (wall_wm.md §3.6)."""
    steps: int = 10
    """Euler steps of the actions; of the video too where the mode is symmetric or the video is asked for."""
    shift: float = 1.0
    anchor: float = 0.36
    """σ of the video while actions are denoised before it."""
    approach: int = 1
    """Passes of the video tower that bring it from noise to the anchor. 0: it starts there, as if nothing would move,
    which spares a pass and shows the model a future it has never seen in training."""
    video: bool = False
    """Whether the video is imagined to its end. Free in symmetric mode; more passes of the video tower otherwise."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"sampling: found {self.steps} steps, expected at least 1")
        if self.approach < 0:
            raise ValueError(f"sampling: found {self.approach} passes to the anchor, expected 0 or more")
        if not 0.0 < self.anchor <= 1.0:
            raise ValueError(f"sampling: found anchor σ = {self.anchor}, expected it in (0, 1]")


def sampling_of(schedule: Schedule, shift: float, steps: int = Sampling.steps) -> Sampling:
    """As the model was trained: asymmetric where its actions had noise levels of their own, at the video's anchor."""
    if schedule.action is None:
        return Sampling("symmetric", steps, shift)
    if schedule.video.kind == "anchor":
        return Sampling("asymmetric", steps, shift, anchor=schedule.video.level)
    return Sampling("asymmetric", steps, shift)
