"""Figures are text: the few marks they are made of, and how numbers are written.

No plotting library: their bytes change with versions and fonts. Colours and letters are the page's (`style.css`), so a
figure follows the reader's theme. What comes from data is escaped here and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from schemas.time import NS_PER_S

THIN = "\u2009"


def number(value: float) -> str:
    """A coordinate: two decimals at most, no trailing zeros."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def text(x: float, y: float, said: str, style: str = "", anchor: str = "") -> str:
    """A line of text; ``anchor`` is start, middle or end."""
    at = f" text-anchor='{anchor}'" if anchor else ""
    return f"<text x='{number(x)}' y='{number(y)}'{_class(style)}{at}>{escape(said)}</text>"


def rect(x: float, y: float, width: float, height: float, style: str = "", title: str = "") -> str:  # noqa: PLR0917 - in the order SVG has them
    """A rectangle; ``title`` is what a pointer over it says."""
    place = f"x='{number(x)}' y='{number(y)}' width='{number(width)}' height='{number(height)}'"
    said = f"<title>{escape(title)}</title>" if title else ""
    return f"<rect {place}{_class(style)}>{said}</rect>" if said else f"<rect {place}{_class(style)}/>"


def line(x1: float, y1: float, x2: float, y2: float, style: str = "") -> str:
    """A straight line."""
    return f"<line x1='{number(x1)}' y1='{number(y1)}' x2='{number(x2)}' y2='{number(y2)}'{_class(style)}/>"


def circle(x: float, y: float, radius: float, style: str = "", title: str = "") -> str:
    """A dot."""
    said = f"<title>{escape(title)}</title>" if title else ""
    place = f"cx='{number(x)}' cy='{number(y)}' r='{number(radius)}'"
    return f"<circle {place}{_class(style)}>{said}</circle>" if said else f"<circle {place}{_class(style)}/>"


def path(points: str, style: str = "", title: str = "") -> str:
    """Any shape."""
    said = f"<title>{escape(title)}</title>" if title else ""
    return f"<path d='{points}'{_class(style)}>{said}</path>" if said else f"<path d='{points}'{_class(style)}/>"


def polyline(points: Iterable[tuple[float, float]], style: str = "") -> str:
    """A broken line."""
    return path("M" + "L".join(f"{number(x)} {number(y)}" for x, y in points), style)


def svg(width: float, height: float, marks: Iterable[str], label: str, *, style: str = "", name: str = "") -> str:
    """A figure; ``label`` is what it says to those who do not see it."""
    size = f"viewBox='0 0 {number(width)} {number(height)}' width='{number(width)}' height='{number(height)}'"
    of = f" id='{escape(name)}'" if name else ""
    return f"<svg{of} {size}{_class(style)} role='img' aria-label='{escape(label, quote=True)}'>{''.join(marks)}</svg>"


def _class(style: str) -> str:
    return f" class='{style}'" if style else ""


# -- numbers -----------------------------------------------------------------------------------------------------------


def whole(n: int) -> str:
    """``12 345``, with thin spaces; four digits stay together."""
    return str(n) if abs(n) < 10_000 else f"{n:,}".replace(",", THIN)


def percent(share: float) -> str:
    """``12.3 %``; what is not nothing is never written as 0."""
    if share and abs(share) < 0.0005:
        return f"<{THIN}0.1{THIN}%"
    if 0.9995 <= share < 1:
        return f">{THIN}99.9{THIN}%"
    return f"{100 * share:.1f}{THIN}%" if share not in (0, 1) else f"{100 * share:.0f}{THIN}%"


def duration(ns: int) -> str:
    """``0.45 s``, ``12.3 s``, ``6.5 min``, ``12.3 h``."""
    seconds = ns / NS_PER_S
    if abs(seconds) < 10:
        return f"{seconds:.2f}{THIN}s"
    if abs(seconds) < 99.95:
        return f"{seconds:.1f}{THIN}s"
    if seconds < 99.95 * 60:
        return f"{seconds / 60:.1f}{THIN}min"
    return f"{seconds / 3600:.1f}{THIN}h"


def decimals(value: float | None, digits: int = 2) -> str:
    """A number with so many decimals; a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def significant(value: float, digits: int = 3) -> str:
    """So many significant digits, without an exponent where that reads well."""
    return f"{value:.{digits}g}" if 1e-4 <= abs(value) < 1e6 or value == 0 else f"{value:.{digits - 1}e}"


def power(value: float) -> str:
    """``1 × 10⁻⁹``: one digit and a power of ten."""
    if value == 0 or not math.isfinite(value):
        return decimals(value, 0)
    digit, exponent = f"{value:.0e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digit}{THIN}×{THIN}10{raised}"


def signed(value: float) -> str:
    """A whole number with a minus sign that is one."""
    return f"{value:.0f}".replace("-", "−") if round(value) else "0"


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two others, at most about so many."""
    if high <= low:
        return [low]
    step = 10 ** math.floor(math.log10((high - low) / most))
    step = next(step * factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= most)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def shortened(said: str, most: int) -> str:
    """At most so many letters."""
    return said if len(said) <= most else said[: most - 1].rstrip() + "…"


def most_frequent(counts: dict[str, int], n: int = 3) -> str:
    """``grasp 12, lift 9 and 4 more``."""
    ordered: Sequence[tuple[str, int]] = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = f" and {len(ordered) - n} more" if len(ordered) > n else ""
    return ", ".join(f"{name} {whole(count)}" for name, count in ordered[:n]) + more
