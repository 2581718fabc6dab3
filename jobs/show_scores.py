"""What ``joinery score`` prints: one block per group of episodes, ours first and every baseline below."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from annotators.scores.baselines import GRIPPER, UNIFORM
from annotators.scores.human import VERBS
from annotators.scores.marks import OURS
from annotators.scores.ratios import EDIT, GEBD, MERGED, OVER, f1_at, segment_f1_at, typed_f1_at
from jobs.show import print_json, table

if TYPE_CHECKING:
    from annotators.scores.bootstrap import Interval
    from annotators.scores.human import HumanScore
    from annotators.scores.report import GroupScore
    from jobs.score import ScoreReport

_EDGES = {"0.1": ".1", "0.25": ".25", "0.5": ".5", "1": "1 s"}
"""Tolerances as keys of metrics and as heads of columns."""
_KIND_EDGES = {edge: head for edge, head in _EDGES.items() if edge != "1"}
_SEGMENTS = {
    segment_f1_at(0.5): "F1@.5",
    segment_f1_at(0.75): "F1@.75",
    EDIT: "edit",
    OVER: "per true one",
    MERGED: "merged",
    GEBD: "GEBD F1@5 %",
}
_COMPARED = {f1_at(0.25): "F1 ±.25", segment_f1_at(0.75): "segment F1@.75", f1_at(0.1): "F1 ±.1"}
_COMPARED_WIDE = {f1_at(0.5): "F1 ±.5", f1_at(1.0): "F1 ±1", segment_f1_at(0.5): "segment F1@.5"}
_HUMAN = {
    **{f1_at(tolerance_s): f"F1 ±{tolerance_s:g}" for tolerance_s in (0.1, 0.25, 0.5, 1.0)},
    typed_f1_at(0.25): "of its kind ±.25",
    segment_f1_at(0.75): "segment F1@.75",
    VERBS: "verbs",
}
_HEADLINES = {f1_at(0.25): "F1 ±.25", typed_f1_at(0.25): "of its kind", segment_f1_at(0.75): "segment F1@.75"}
_WIDE = 140
"""Characters from which on all comparisons fit; ``--json`` has them always."""
_SLICED = {
    f"{OURS}: {typed_f1_at(0.25)}": "typed F1 ±.25",
    f"{OURS}: {f1_at(0.25)}": "any",
    f"{OURS}: {segment_f1_at(0.75)}": "seg.75",
    f"{GRIPPER}: {f1_at(0.25)}": "gripper",
    f"{UNIFORM}: {f1_at(0.25)}": "uniform",
}


def scores(out: Console, report: ScoreReport, as_json: bool) -> None:
    """Tables for people, one JSON document for machines."""
    if as_json:
        print_json(report)
        return
    _say(out, f"events of `{report.stage}`, {report.level} level, against {report.truth}")
    for group in report.groups:
        _group(out, group, report)
    if report.unscored:
        _say(out, f"{len(report.unscored)} episodes have truth and were not scored:", "yellow")
        for (source, reason), n in Counter((one.source, one.reason) for one in report.unscored).items():
            first = next(one.locator for one in report.unscored if (one.source, one.reason) == (source, reason))
            _say(out, f"  {source}: {first if n == 1 else f'{n} episodes'}: {reason}", "yellow")


def _group(out: Console, group: GroupScore, report: ScoreReport) -> None:
    out.print()
    title = f"{group.name}: {group.episodes} episodes, {group.true} true and {group.predicted} proposed boundaries"
    _say(out, title, "bold")
    if group.annotations > group.episodes:
        _say(out, f"{group.annotations} annotations of them, each of which counts as a truth")
    if group.left_out:
        _say(out, f"{group.left_out} more true boundaries lie in parts that cleaning trimmed; they are not scored")
    out.print(_boundaries(group))
    out.print(_segments(group))
    _say(out, f"ours, 95 % intervals: {_ours(group)}")
    out.print(_differences(group, report, out.width))
    out.print(_kinds(group))
    if group.human is not None:
        out.print(_human(group.human))
    _trust(out, group)
    out.print(_slices(group))


def _boundaries(group: GroupScore) -> Table:
    """Untyped, because no baseline knows what its cut means."""
    heads = [f"{'±' + edge if part == 'F1' else ''}\n{part}" for edge in _EDGES.values() for part in ("P", "R", "F1")]
    keys = [f"{part}@{edge}" for edge in _EDGES for part in ("precision", "recall", "f1")]
    return _by_system(group, "boundaries\nof any kind", dict(zip(keys, heads, strict=True)))


def _ours(group: GroupScore) -> str:
    ours = next(system for system in group.systems if system.name == OURS)
    return ", ".join(f"{name} {with_interval(ours.metrics[metric])}" for metric, name in _HEADLINES.items())


def _segments(group: GroupScore) -> Table:
    return _by_system(group, "segments", _SEGMENTS)


def _by_system(group: GroupScore, first: str, columns: dict[str, str]) -> Table:
    found = _table(first, *columns.values())
    for system in group.systems:
        cells = [number(system.metrics[metric].estimate) for metric in columns]
        found.add_row(system.name, *cells, style="bold" if system.name == OURS else None)
    return found


def _differences(group: GroupScore, report: ScoreReport, width: int) -> Table:
    columns = _COMPARED | (_COMPARED_WIDE if width >= _WIDE else {})
    found = _table("joinery minus", *columns.values())
    found.caption = f"95 % intervals, paired, {report.resamples} resamples of episodes; * excludes 0"
    for system in group.systems:
        if system.ours_minus_this:
            found.add_row(system.name, *(difference(system.ours_minus_this[metric]) for metric in columns))
    return found


def _kinds(group: GroupScore) -> Table:
    """Typed: a grasp is found by a grasp."""
    heads = ("true", "found", "P±.25", "R±.25", *(f"±{edge}" for edge in _KIND_EDGES.values()), "bias", "MAE", "p90")
    found = _table("of its kind", *heads)
    for kind in group.kinds:
        counts = (str(kind.true), str(kind.predicted), number(kind.precision["0.25"]), number(kind.recall["0.25"]))
        times = (signed(kind.bias_s, 3), number(kind.mae_s, 3), number(kind.p90_s, 3))
        found.add_row(kind.kind.value, *counts, *(number(kind.f1[edge]) for edge in _KIND_EDGES), *times)
    for system in group.systems:
        if system.name in (OURS, GRIPPER):
            keys = ["typed_precision@0.25", "typed_recall@0.25", *(f"typed_f1@{edge}" for edge in _KIND_EDGES)]
            cells = [number(system.metrics[key].estimate) for key in keys]
            totals = ("", "")
            if system.name == OURS:
                totals = str(sum(kind.true for kind in group.kinds)), str(sum(kind.predicted for kind in group.kinds))
            name = "all kinds" if system.name == OURS else system.name
            found.add_row(name, *totals, *cells, style="bold" if system.name == OURS else None)
    return found


def _human(human: HumanScore) -> Table:
    """People against each other, ours against the same people, and the share."""
    found = _table("people", "person and person", "joinery and person", "ours ÷ theirs")
    for metric, name in _HUMAN.items():
        cells = (found_in[metric] for found_in in (human.agreement, human.ours, human.normalised))
        found.add_row(name, *(with_interval(cell) for cell in cells))
    found.caption = f"{human.episodes} episodes with several annotators, {human.pairs} pairs of them"
    return found


def _trust(out: Console, group: GroupScore) -> None:
    sure = group.trust
    if sure.ece is not None:
        said = f"σ covers {_percent(sure.within_sigma)} of {sure.pairs} errors (68 % expected)"
        said += f", 2σ {_percent(sure.within_two_sigma)} (95 %); confidence: ECE {number(sure.ece)}"
        _say(out, said)
    asked = sum(label.asked for label in group.labels)
    if asked:
        right = sum(label.right for label in group.labels)
        each = ", ".join(f"{label.phase} {number(label.accuracy)}" for label in group.labels)
        _say(out, f"verbs on true cuts: {right} of {asked} right ({number(right / asked)}): {each}")
    style = "bold red" if group.violations else "green"
    _say(out, f"nesting and cover: {group.violations} violations", style)


def _slices(group: GroupScore) -> Table:
    keys = [key for key in _SLICED if any(key in one.metrics for one in group.slices)]
    found = _table("at ±.25", "n", "true", *(_SLICED[key] for key in keys))
    last = ""
    for one in group.slices:
        if one.by != last:
            found.add_row(f"by {one.by}", style="dim")
            last = one.by
        first, *others = (one.metrics[key] for key in keys)
        cells = [with_interval(first), *(number(other.estimate) for other in others)]
        found.add_row(f"  {one.name}", str(one.episodes), str(one.true), *cells)
    return found


def _table(first: str, *rest: str) -> Table:
    """A table whose names are never cut."""
    found = table(first, *rest)
    for column in found.columns:
        column.no_wrap = True
    found.caption_justify = "left"
    return found


def number(value: float | None, digits: int = 2) -> str:
    """Without the leading zero, as the field writes scores."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") else text


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def with_interval(found: Interval) -> str:
    """``.90 [.80 1.00]``."""
    if found.low is None or found.high is None:
        return number(found.estimate)
    return f"{number(found.estimate)} [{number(found.low)} {number(found.high)}]"


def difference(found: Interval) -> str:
    """``+.20 [+.10 +.30]*``: a star where the interval excludes 0."""
    if found.estimate is None or found.low is None or found.high is None:
        return "–"
    sure = "*" if found.low > 0 or found.high < 0 else " "
    return f"{signed(found.estimate)} [{signed(found.low)} {signed(found.high)}]{sure}"


def signed(value: float | None, digits: int = 2) -> str:
    """With its sign, unless it rounds to nothing."""
    if value is None:
        return "–"
    sign = "−" if round(value, digits) < 0 else "+" if round(value, digits) > 0 else ""
    return sign + number(abs(value), digits)


def _say(out: Console, text: str, style: str | None = None) -> None:
    out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
