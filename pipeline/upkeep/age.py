"""Ages as people write them: ``90s``, ``30m``, ``1h``, ``7d``."""

import re

from pipeline.errors import JoineryError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


def seconds(age: str) -> float:
    """An age in seconds. Raises JoineryError for what is none."""
    match = _AGE.fullmatch(age.strip())
    if match is None:
        raise JoineryError(f"--older-than: found {age!r}, expected a number and a unit, such as 90s, 30m, 1h or 7d")
    return float(match[1]) * _SECONDS[match[2]]
