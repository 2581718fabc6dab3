"""JSON with one text per value: keys in the order given or sorted, arrays as lists, no NaN (JSON has none: null)."""

import json
import math
from typing import Any

import numpy as np


def compact(value: dict[str, Any]) -> bytes:
    """For members of samples: no spaces, keys in the order given."""
    return json.dumps(_plain(value), separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()


def pretty(value: dict[str, Any]) -> str:
    """For files people open: one value per line, keys sorted, ends in a newline."""
    return json.dumps(_plain(value), indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
