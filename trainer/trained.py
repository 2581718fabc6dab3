"""A trained model from the folder of its run: for evaluations, which need the network and not a policy around it.

The configuration stands in the checkpoint (`trainer.policy_record`). The weights are the moving average where the run
has kept one: that is what one deploys.
"""

from dataclasses import dataclass
from pathlib import Path

from trainer import checkpoint
from trainer.configs import TrainConfig
from trainer.model.wam import WallWM, build
from trainer.policy_record import checkpoint_folder, read_record


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model and where it comes from."""

    model: WallWM
    config: TrainConfig
    step: int
    averaged: bool
    folder: Path


def load_trained(run: Path) -> TrainedModel:
    """The model of a checkpoint, or of the newest one of a run's folder.

    Raises FileNotFoundError when there is none, ValueError when it cannot be read.
    """
    folder = checkpoint_folder(run)
    config, state = read_record(folder).config, checkpoint.read_run(folder)
    model = build(config.model, config.seed)
    checkpoint.load_weights(folder, model, averaged=True)
    return TrainedModel(model.eval(), config, state.step, bool(state.average_updates), folder)
