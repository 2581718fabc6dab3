"""Numbers and statements as a card writes them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas.data_card import NOT_STATED
from schemas.time import NS_PER_S

NOTHING = "–"
NS_PER_HOUR = 3600 * NS_PER_S


def stated(value: object) -> str:
    """What somebody said, or that nobody did."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value)) or NOT_STATED
    return " ".join(str(value).split()) if value not in (None, "") else NOT_STATED


def hours(ns: int) -> str:
    """Three significant digits, whether seconds or years."""
    return f"{ns / NS_PER_HOUR:#.3g}".rstrip(".") if ns < 999 * NS_PER_HOUR else number(round(ns / NS_PER_HOUR))


def seconds(ns: int) -> str:
    """With two decimals."""
    return f"{ns / NS_PER_S:.2f}"


def number(n: int) -> str:
    """With thin groups of three from five digits on."""
    return f"{n:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") if abs(n) >= 10_000 else str(n)


def size(n_bytes: int) -> str:
    """Bytes in the unit people would use."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.3g} {unit}"
    return f"{n_bytes} bytes"


def share(part: int, whole: int) -> str:
    """How many of how many."""
    return f"{number(part)} of {number(whole)} ({100 * part / whole:.1f} %)" if whole else NOTHING


def rate(found: Mapping[str, Any] | None, unknown: str = "not measured") -> str:
    """A share with its interval, counted from ``n`` of ``of``."""
    if found is None:
        return unknown
    low, high = 100 * found["low"], 100 * found["high"]
    return f"{100 * found['rate']:.2g} % ({found['n']} of {found['of']}; 95 %: {low:.2g} to {high:.2g} %)"


def counted(counts: Mapping[str, int]) -> str:
    """Names and how often, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {number(n)}" for name, n in ordered if n) or "none"


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names, but no more than anybody reads."""
    found: Sequence[str] = list(names)
    rest = f" and {len(found) - most} more" if len(found) > most else ""
    return (", ".join(found[:most]) or "none") + rest


def plural(n: int, one: str, many: str = "") -> str:
    """So many of them."""
    return f"{number(n)} {one if n == 1 else many or one + 's'}"
