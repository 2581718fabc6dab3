"""Numbers in names count as numbers: ``demo_10`` comes after ``demo_9``, whatever the alphabet says."""

import re

_DIGITS = re.compile(r"(\d+)", re.ASCII)


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """A sort key; names that differ in leading zeros only are told apart at the end."""
    parts = _DIGITS.split(name)
    return (*((int(part), "") if i % 2 else (-1, part) for i, part in enumerate(parts)), (-1, name))
