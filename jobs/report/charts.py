"""The figures besides flows: histograms, ranks, bars, pairs of dots, a table of squares, a map of points, a curve."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from jobs.report.balance import ClusterShare
from jobs.report.cluster_map import MapPoint
from jobs.report.events import BINS_PER_DECADE, QUANTILES, RARE, Durations, Pairs, Vocabulary
from jobs.report.svg import (
    THIN,
    circle,
    decimals,
    duration,
    line,
    number,
    percent,
    polyline,
    rect,
    shortened,
    svg,
    text,
    ticks,
    whole,
)
from schemas.time import NS_PER_S

WIDTH = 1080.0
N_COLOURS = 7
"""Of the palette; what comes after them shares a grey one."""


def histograms(durations: Sequence[Durations], first_bin: int) -> str:
    """How long events last, level over level on one logarithmic axis; middle half and middle nine tenths beneath."""
    left, right, panel, gap = 96.0, 20.0, 74.0, 34.0
    n_bins = max(len(each.bins) for each in durations)
    step = (WIDTH - left - right) / n_bins
    marks: list[str] = []

    def x_of(seconds: float) -> float:
        return left + (math.log10(seconds) * BINS_PER_DECADE - first_bin) * step

    height = len(durations) * (panel + gap) + 26
    low, high = 10 ** (first_bin / BINS_PER_DECADE), 10 ** ((first_bin + n_bins) / BINS_PER_DECADE)
    for seconds in _log_ticks(low, high):
        marks.append(line(x_of(seconds), 8, x_of(seconds), height - 22, "grid"))
        marks.append(text(x_of(seconds), height - 6, _seconds(seconds), "m", "middle"))
    for row, each in enumerate(durations):
        base = 8 + row * (panel + gap) + panel
        tallest = max(each.bins, default=0) or 1
        marks.append(text(0, base - panel / 2, each.level, "t b"))
        marks.append(text(0, base - panel / 2 + 17, f"{whole(each.n_events)} events", "m"))
        for i, n in enumerate(each.bins):
            if n:
                size = max(1.0, panel * n / tallest)
                edges = [10 ** ((first_bin + i + side) / BINS_PER_DECADE) for side in (0, 1)]
                said = f"{each.level}, {edges[0]:.2g}–{edges[1]:.2g} s: {n}"
                marks.append(rect(left + i * step + 0.75, base - size, step - 1.5, size, "fill", said))
        marks.append(line(left, base, WIDTH - right, base, "axis"))
        if each.n_events:
            low_x, q1, median, q3, high_x = (x_of(max(ns, 1) / NS_PER_S) for ns in each.quantiles_ns)
            marks += [line(low_x, base + 9, high_x, base + 9, "whisker"), line(q1, base + 9, q3, base + 9, "box")]
            marks.append(circle(median, base + 9, 4, "dot"))
            fits = high_x < WIDTH - right - 110
            at, anchor = (high_x + 9, "start") if fits else (low_x - 9, "end")
            marks.append(text(at, base + 13, f"median {duration(each.quantiles_ns[2])}", "m", anchor))
    label = "Durations of events by level: " + "; ".join(
        f"{each.level} median {each.quantiles_ns[2] / NS_PER_S:.2f} s" for each in durations if each.n_events
    )
    return svg(WIDTH, height, marks, label)


def quantile_names() -> list[str]:
    """``5 %`` …"""
    return [f"{100 * q:.0f}{THIN}%" for q in QUANTILES]


def _log_ticks(low: float, high: float) -> Iterator[float]:
    for exponent in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for factor in (1, 2, 5):
            if low <= factor * 10.0**exponent <= high:
                yield factor * 10.0**exponent


def _seconds(value: float) -> str:
    return (
        f"{value:g}{THIN}s"
        if value < 60
        else f"{value / 60:g}{THIN}min"
        if value < 3600
        else f"{value / 3600:g}{THIN}h"
    )


def rank_frequency(vocabulary: Vocabulary) -> str:
    """Events of a name against its rank, both logarithmic; below the dashed line a name is rare."""
    width, height, left, bottom, top, right = 528.0, 300.0, 46.0, 34.0, 14.0, 18.0
    most = max(vocabulary.ranks[0][1], RARE * 1.5)
    decades_x = max(math.log10(vocabulary.n_names * 1.15), 0.6)
    decades_y = math.log10(most) * 1.04

    def place(rank: float, n: float) -> tuple[float, float]:
        x = left + (width - left - right) * math.log10(rank) / decades_x
        return x, height - bottom - (height - bottom - top) * math.log10(max(n, 1)) / decades_y

    marks = []
    for exponent in range(math.floor(decades_y) + 1):
        y = place(1, 10**exponent)[1]
        marks += [line(left, y, width - right, y, "grid"), text(left - 7, y + 4, whole(10**exponent), "m", "end")]
    for rank in (1, 2, 5, 10, 20, 50, 100, 1000, 10_000, 100_000):
        if math.log10(rank) <= decades_x:
            marks.append(text(place(rank, 1)[0], height - bottom + 17, whole(rank), "m", "middle"))
    y = place(1, RARE)[1]
    marks += [line(left, y, width - right, y, "dashed"), text(left - 7, y + 4, str(RARE), "m lossy", "end")]
    marks.append(polyline([place(rank, n) for rank, n in vocabulary.ranks], "stroke"))
    names = list(vocabulary.counts)
    for rank, n in vocabulary.ranks:
        said = f"{names[rank - 1] if rank <= len(names) else f'rank {rank}'}: {n}"
        marks.append(circle(*place(rank, n), 3.2, "dot rare" if n < RARE else "dot", said))
    for rank in (1, 2, 3, 5, 8, 13):
        if rank <= min(len(names), len(vocabulary.ranks)):
            x, y = place(rank, vocabulary.counts[names[rank - 1]])
            marks.append(text(x + 6, y - 6, shortened(names[rank - 1], 16), "m"))
    marks.append(text(width - right, height - 2, "rank", "m", "end"))
    label = f"{vocabulary.what}: {vocabulary.n_names} names, {names[0]} the most frequent with {vocabulary.ranks[0][1]}"
    return svg(width, height, marks, label)


def heat_map(pairs: Pairs) -> str:
    """Verbs by objects; the darker the more, on a logarithmic scale; what never occurs is a dot."""
    longest = max(len(shortened(thing, 20)) for thing in pairs.objects)
    left, top, tall = 124.0, 24.0 + 4.4 * longest, 25.0
    wide = min(64.0, (WIDTH - left - 70) / len(pairs.objects))
    most = max((max(row) for row in pairs.counts), default=1) or 1
    marks = []
    for i, thing in enumerate(pairs.objects):
        x = left + (i + 0.5) * wide
        turned = f" transform='rotate(-42 {number(x)} {number(top - 8)})'"
        marks.append(text(x, top - 8, shortened(thing, 20), "m").replace("<text", f"<text{turned}", 1))
    for j, (verb, row) in enumerate(zip(pairs.verbs, pairs.counts, strict=True)):
        y = top + j * tall
        marks.append(text(left - 10, y + tall / 2 + 4, verb, "t", "end"))
        for i, n in enumerate(row):
            x, said = left + i * wide, f"{verb} × {pairs.objects[i]}: {n}"
            if not n:
                marks.append(rect(x + 1, y + 1, wide - 2, tall - 2, "empty", said))
                marks.append(circle(x + wide / 2, y + tall / 2, 1.1, "emptydot"))
                continue
            shade = 1 + min(5, int(6 * math.log(n) / math.log(most))) if most > 1 else 3
            marks.append(rect(x + 1, y + 1, wide - 2, tall - 2, f"heat{shade}", said))
            marks.append(text(x + wide / 2, y + tall / 2 + 4, _brief(n), f"on{shade}", "middle"))
    label = f"{pairs.n_filled} of {pairs.n_verbs * pairs.n_objects} pairs of verb and object occur"
    return svg(left + len(pairs.objects) * wide + 70, top + len(pairs.verbs) * tall + 8, marks, label)


def _brief(n: int) -> str:
    return str(n) if n < 10_000 else f"{n / 1000:.0f}k" if n < 10_000_000 else f"{n / 1e6:.0f}M"


def bars(rows: Sequence[tuple[str, float, str]], label: str, *, left: float = 180.0, styles: Sequence[str] = ()) -> str:
    """One bar per (name, value, what is written after it); ``styles`` colours them otherwise than all alike."""
    width, tall, right = WIDTH, 21.0, 190.0
    most = max((value for _, value, _ in rows), default=1.0) or 1.0
    marks = []
    for i, (name, value, said) in enumerate(rows):
        y, size = i * tall, (width - left - right) * value / most
        marks.append(text(left - 10, y + 15, shortened(name, 26), "t", "end"))
        marks.append(
            rect(
                left,
                y + 5,
                max(size, 1.0 if value else 0.0),
                tall - 9,
                styles[i] if styles else "fill",
                f"{name}: {said}",
            )
        )
        marks.append(text(left + size + 8, y + 15, said, "m"))
    return svg(width, len(rows) * tall + 4, marks, label)


def stacked(rows: Sequence[tuple[str, Sequence[tuple[str, int, str]]]], label: str, left: float = 180.0) -> str:
    """One full-width bar per name, made of (what, how many, style); the counts are written where there is room."""
    tall, right = 26.0, 70.0
    marks = []
    for i, (name, parts) in enumerate(rows):
        total = sum(n for _, n, _ in parts)
        x, y = left, i * tall
        marks.append(text(left - 10, y + 17, shortened(name, 26), "t", "end"))
        for what, n, style in parts:
            if not n:
                continue
            size = (WIDTH - left - right) * n / total
            marks.append(rect(x, y + 4, max(size - 1, 0.5), tall - 8, style, f"{name}, {what}: {n}"))
            if size > 26 + 6.2 * len(f"{what} {n}"):
                marks.append(text(x + 8, y + 17, f"{what} {whole(n)}", f"{style} inside"))
            x += size
        marks.append(text(WIDTH - right + 8, y + 17, whole(total), "m"))
    return svg(WIDTH, len(rows) * tall + 4, marks, label)


def dumbbells(shares: Sequence[ClusterShare], label: str, names: Sequence[str]) -> str:
    """Per cluster the share of events as it occurs, as planned, and as drawn."""
    left, right, tall, top = 262.0, 60.0, 21.0, 26.0
    most = max(max(s.natural, s.planned, s.realised or 0.0) for s in shares) * 1.04

    def x_of(share: float) -> float:
        return left + (WIDTH - left - right) * share / most

    height = top + len(shares) * tall + 10
    marks = []
    for tick in ticks(0, most, 8):
        marks += [line(x_of(tick), top - 6, x_of(tick), height - 6, "grid")]
        marks.append(text(x_of(tick), top - 11, f"{100 * tick:g}{THIN}%", "m", "middle"))
    for i, (share, name) in enumerate(zip(shares, names, strict=True)):
        y = top + i * tall + tall / 2
        marks.append(text(left - 12, y + 4, shortened(name, 42), "t", "end"))
        marks.append(line(x_of(share.natural), y, x_of(share.planned), y, "whisker"))
        marks.append(circle(x_of(share.natural), y, 4, "hollow", f"{name}: occurs {percent(share.natural)}"))
        marks.append(circle(x_of(share.planned), y, 4, "dot", f"{name}: planned {percent(share.planned)}"))
        if share.realised is not None:
            x = x_of(share.realised)
            marks.append(line(x, y - 7, x, y + 7, "tick"))
    return svg(WIDTH, height, marks, label)


def scatter(points: Sequence[MapPoint], colours: Sequence[int], label: str) -> str:
    """Events as dots, coloured by number; the script may colour them otherwise and opens what is clicked."""
    width, height, edge = 780.0, 620.0, 14.0
    radius = 3.6 if len(points) <= 800 else 2.8 if len(points) <= 2500 else 2.2
    low, high = min(point.y for point in points), max(point.y for point in points)
    unit = min(width - 2 * edge, (height - 2 * edge) / max(high - low, 1e-9))
    height = max(280.0, 2 * edge + unit * (high - low))
    left = (width - unit) / 2
    marks = [
        circle(left + unit * point.x, height / 2 - unit * (point.y - (low + high) / 2), radius, f"k{colour}")
        for point, colour in zip(points, colours, strict=True)
    ]
    return svg(width, height, marks, label, style="map", name="map")


def curve(values: Sequence[float], step_ns: int, peak_ns: int | None = None) -> str:
    """Correlation by lag; the line in the middle is no lag."""
    width, height, edge = 168.0, 58.0, 4.0
    low, high = min(values), max(values)
    size = (high - low) or 1.0

    def place(i: int) -> tuple[float, float]:
        x = edge + (width - 2 * edge) * i / max(1, len(values) - 1)
        return x, height - 14 - (height - 20) * (values[i] - low) / size

    best = max(range(len(values)), key=lambda i: (values[i], -i))
    middle = len(values) // 2
    marks = [line(width / 2, 2, width / 2, height - 12, "grid"), polyline(map(place, range(len(values))), "stroke")]
    marks.append(circle(*place(best), 3, "dot loss"))
    reach = middle * step_ns / NS_PER_S
    marks += [text(edge, height - 2, f"−{reach:g} s", "m"), text(width - edge, height - 2, f"+{reach:g} s", "m", "end")]
    lag = (best - middle) * step_ns / NS_PER_S if peak_ns is None else peak_ns / NS_PER_S
    return svg(width, height, marks, f"correlation by lag, best at {decimals(lag)} s", style="curve")


def share_bar(name: str, total: str, parts: Sequence[tuple[str, int, str]]) -> str:
    """One wide bar of a whole and its parts; what is too thin to write in is told beneath."""
    tall, left = 34.0, 0.0
    whole_n = sum(n for _, n, _ in parts) or 1
    marks, x = [], left
    for what, n, style in parts:
        size = WIDTH * n / whole_n
        said = f"{what} {percent(n / whole_n)}"
        marks.append(rect(x, 2, max(size - 1, 1.0), tall - 4, style, f"{name}, {said}"))
        if size > 20 + 6.6 * len(said):
            marks.append(text(x + 10, tall / 2 + 4.5, said, f"{style} inside"))
        x += size
    return svg(WIDTH, tall, marks, f"{name}: {total}")
