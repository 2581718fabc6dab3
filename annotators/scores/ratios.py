"""One episode, one system: the numerator and denominator of every metric that is a ratio of sums over episodes."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from annotators.scores.boundaries import GEBD_SHARE, TOLERANCES_S, Tally, pooled, tolerance_ns, typed, untyped
from annotators.scores.marks import Case, Mark
from annotators.scores.segments import edit_score, matched_segments, merged, names, segments
from schemas.event import BoundaryKind

Ratio: TypeAlias = tuple[float, float]

OVERLAPS = (0.5, 0.75)
GEBD, EDIT, OVER, MERGED = "gebd_f1", "edit", "over_segmentation", "merge_share"


def f1_at(tolerance_s: float) -> str:
    """The key of the untyped F1."""
    return f"f1@{tolerance_s:g}"


def typed_f1_at(tolerance_s: float) -> str:
    """The key of the typed F1."""
    return f"typed_f1@{tolerance_s:g}"


def segment_f1_at(overlap: float) -> str:
    """The key of the segment F1."""
    return f"segment_f1@{overlap:g}"


def ratios(case: Case, predicted: Sequence[Mark], kinds: Sequence[BoundaryKind]) -> Mapping[str, Ratio]:
    """Every metric's (numerator, denominator); edit score counts each episode once, all else counts boundaries."""
    found: dict[str, Ratio] = {}
    for tolerance_s in TOLERANCES_S:
        reach = tolerance_ns(tolerance_s)
        _add(found, "", tolerance_s, untyped(predicted, case.true, reach))
        _add(found, "typed_", tolerance_s, pooled(typed(predicted, case.true, reach, kinds).values()))
    found[GEBD] = _f1(untyped(predicted, case.true, round(GEBD_SHARE * case.duration_ns)))
    ours, true = segments(predicted, case.ranges_ns), segments(case.true, case.ranges_ns)
    for overlap in OVERLAPS:
        matched = matched_segments(ours, true, overlap)
        found[segment_f1_at(overlap)] = _f1(Tally(matched, len(ours), len(true)))
    found[EDIT] = (edit_score(names(predicted, case.ranges_ns), names(case.true, case.ranges_ns)), 1.0)
    found[OVER] = (float(len(ours)), float(len(true)))
    found[MERGED] = (float(merged(ours, true)), float(len(true)))
    return found


def _add(found: dict[str, Ratio], prefix: str, tolerance_s: float, tally: Tally) -> None:
    found[f"{prefix}f1@{tolerance_s:g}"] = _f1(tally)
    found[f"{prefix}precision@{tolerance_s:g}"] = (float(tally.matched), float(tally.predicted))
    found[f"{prefix}recall@{tolerance_s:g}"] = (float(tally.matched), float(tally.true))


def _f1(tally: Tally) -> Ratio:
    return 2.0 * tally.matched, float(tally.predicted + tally.true)
