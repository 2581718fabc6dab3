"""What a worker logged while it did a batch, on its way to the log of the run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """One line of a worker's log. It travels with the batch's results, from whatever machine they come."""

    time: float
    """Seconds since 1970, UTC."""
    level: str
    logger: str
    message: str
    traceback: str = ""
