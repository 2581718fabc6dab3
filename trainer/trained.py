"""A trained model from the folder of its run, whatever configuration it was trained with.

A checkpoint holds the digest of its configuration; the configurations this code knows are tried against it. The weights
are the moving average where the run has kept one: that is what one deploys.
"""

from dataclasses import dataclass
from pathlib import Path

from trainer import checkpoint
from trainer.configs import CONFIGS, TrainConfig
from trainer.model.wam import WallWM, build


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

    Raises FileNotFoundError when there is none, ValueError when no configuration here is the one it was trained with.
    """
    folder = run if (run / checkpoint.RUN).is_file() else checkpoint.newest(run)
    if folder is None:
        raise FileNotFoundError(f"{run}: no checkpoint; give the --out folder of `joinery train`, or a step-… in it")
    state = checkpoint.read_run(folder)
    config = next((made for made in (make() for make in CONFIGS.values()) if made.digest == state.config), None)
    if config is None:
        raise ValueError(
            f"{folder}: trained with a configuration that is none of {', '.join(sorted(CONFIGS))} as they are now; "
            "take the code it was trained with"
        )
    model = build(config.model, config.seed)
    checkpoint.load_weights(folder, model, averaged=True)
    return TrainedModel(model.eval(), config, state.step, bool(state.average_updates), folder)
