"""What may be asked of an export. Imports nothing, because the command line is made of it."""

from enum import StrEnum


class Target(StrEnum):
    """Whose layout is written."""

    LEROBOT = "lerobot"
    ENERGON = "energon"
    VLA_FOUNDRY = "vla_foundry"


class Language(StrEnum):
    """Where captions go in a LeRobot dataset; no one LeRobot reads both."""

    COLUMNS = "columns"
    """``language_persistent`` and ``language_events``: LeRobot 0.6 and later."""
    SUBTASK_INDEX = "subtask_index"
    """``subtask_index`` with ``meta/subtasks.parquet``, and a ``caption`` column: LeRobot 0.4."""


STRIDE = 4
"""VLA Foundry: frames from one sample of an event to the next."""
