"""A training run that is killed outright: ``python -m tests.trainer.killed_run SHARDS OUT AT``.

The process sends itself SIGKILL after step AT, which nothing in it can catch; checkpoints are every three steps.
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from trainer.configs import TrainConfig, tiny
from trainer.loop import StepLog
from trainer.run import planned, train


def config() -> TrainConfig:
    """`tiny` that saves often."""
    return replace(tiny(), save_every=3)


def main() -> None:
    """Train, and die."""
    shards, out, at = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])

    def seen(line: StepLog) -> None:
        if line.step == at:
            os.kill(os.getpid(), signal.SIGKILL)

    train(planned(shards, str(out / "plan"), config(), out / "ledger"), config(), out / "run", on_step=seen)


if __name__ == "__main__":
    main()
