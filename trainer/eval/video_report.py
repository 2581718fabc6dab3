"""Scores of many events into one table: the model between "nothing moves" and the truth.

Means are over events and their views; ratios are of sums, so that an event in which nothing happens cannot divide by
zero. Beside means stands how often the model is better than stillness, event by event: a mean is carried by a few.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import fmean
from typing import Any

from trainer.eval.video_metrics import SIGMAS, EventScore


@dataclass(frozen=True)
class Column:
    """A column of the table."""

    title: str
    key: str
    digits: int


COLUMNS = (
    Column("PSNR dB", "psnr", 2),
    Column("SSIM", "ssim", 3),
    Column("PSNR of the recording", "psnr_recorded", 2),
    Column("latent MSE", "latent_mse", 4),
    Column("motion ÷ true", "motion_ratio", 2),
    Column("video v-MSE", "video_v_mse", 3),
    Column("action v-MSE", "action_v_mse", 3),
    Column("end mm", "end_mm", 1),
    Column("end °", "end_deg", 2),
    Column("jerk ÷ true", "jerk_ratio", 2),
)


def summary(scores: Sequence[EventScore]) -> dict[str, Any]:
    """One predictor's numbers. None where no event has such a quantity."""
    views = [view for score in scores for view in score.views]
    actions = [score.action for score in scores if score.action is not None]
    return {
        "n_events": len(scores),
        "psnr": mean(view.psnr for view in views),
        "ssim": mean(view.ssim for view in views),
        "psnr_recorded": mean(view.psnr_recorded for view in views),
        "by_camera": {camera: _of_camera(scores, camera) for camera in sorted({view.camera for view in views})},
        "latent_mse": mean(fmean(score.latent_mse) for score in scores),
        "latent_mse_by_frame": [
            fmean(value for value in column if value is not None)
            for column in zip_longest(*(score.latent_mse for score in scores))
        ],
        "motion_ratio": ratio(sum(view.motion for view in views), sum(view.true_motion for view in views)),
        "cross_view": _agreements(scores),
        "video_v_mse": mean(fmean(score.video_v_mse) for score in scores),
        "video_v_mse_by_sigma": _by_sigma(score.video_v_mse for score in scores),
        "action_v_mse": mean(fmean(score.action_v_mse) for score in scores if score.action_v_mse is not None),
        "action_v_mse_by_sigma": _by_sigma(score.action_v_mse for score in scores if score.action_v_mse is not None),
        "n_events_with_actions": len(actions),
        "end_mm": mean(1000.0 * action.end_m for action in actions if action.end_m is not None),
        "end_deg": mean(action.end_deg for action in actions if action.end_deg is not None),
        "end_opening": mean(action.end_opening for action in actions if action.end_opening is not None),
        "jerk_ratio": ratio(sum(action.jerk for action in actions), sum(action.true_jerk for action in actions)),
    }


def better(scores: Sequence[EventScore], than: Sequence[EventScore]) -> dict[str, float | None]:
    """Share of events in which the first is better, joined by event."""
    other = {score.event_id: score for score in than}
    return {
        "psnr": _wins(scores, other, lambda score: fmean(view.psnr for view in score.views)),
        "latent_mse": _wins(scores, other, lambda score: -fmean(score.latent_mse)),
        "end_m": _wins(scores, other, lambda score: None if score.action is None else _negative(score.action.end_m)),
    }


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _wins(
    scores: Sequence[EventScore], other: Mapping[str, EventScore], worth: Callable[[EventScore], float | None]
) -> float | None:
    pairs = [(worth(score), worth(other[score.event_id])) for score in scores]
    return mean(float(own > their) for own, their in pairs if own is not None and their is not None)


def _of_camera(scores: Sequence[EventScore], camera: str) -> dict[str, Any]:
    own = [view for score in scores for view in score.views if view.camera == camera]
    return {"n_events": len(own), "psnr": mean(view.psnr for view in own), "ssim": mean(view.ssim for view in own)}


def _agreements(scores: Sequence[EventScore]) -> dict[str, Any]:
    """By source of the pairs: points, sight cones, likeness."""
    found = {}
    for source in ("points", "sight", "likeness"):
        own = [each for score in scores for each in score.agreements if each.source == source and each.n_pairs]
        if own:
            pairs, apart = sum(each.n_pairs for each in own), sum(each.apart for each in own)
            share = ratio(apart, sum(each.own for each in own))
            found[source] = {"n_pairs": pairs, "disagreement": apart / pairs, "share": share}
    return found


def _by_sigma(found: Iterable[Sequence[float]]) -> dict[str, float | None]:
    rows = list(found)
    return {str(sigma): mean(row[index] for row in rows) for index, sigma in enumerate(SIGMAS)}


def mean(values: Iterable[float]) -> float | None:
    """None of nothing."""
    found = list(values)
    return fmean(found) if found else None


def ratio(over: float, under: float) -> float | None:
    """None where there is nothing to divide by."""
    return over / under if under else None


def markdown(results: Mapping[str, Any]) -> str:
    """The table people read."""
    rows: Mapping[str, Mapping[str, Any]] = results["predictors"]
    lines = [
        f"# {results['n_events']} held-out events of `{results['split']}`, step {results['step']}",
        "",
        "| | " + " | ".join(column.title for column in COLUMNS) + " |",
        "|---|" + "---|" * len(COLUMNS),
    ]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(_told(row[column.key], column.digits) for column in COLUMNS) + " |")
    lines += ["", *_by_frame(rows), "", *_cross_view(rows), "", _wins_told(results["better_than_stillness"])]
    if results["left_out"]:
        lines += ["", f"{len(results['left_out'])} events were left out; `results.json` says which and why."]
    return "\n".join(lines) + "\n"


def _by_frame(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    longest = max(len(row["latent_mse_by_frame"]) for row in rows.values())
    return [
        "| latent MSE of latent frame | " + " | ".join(str(frame) for frame in range(1, longest + 1)) + " |",
        "|---|" + "---|" * longest,
        *(
            f"| {name} | " + " | ".join(_told(value, 4) for value in row["latent_mse_by_frame"]) + " |"
            for name, row in rows.items()
        ),
    ]


def _cross_view(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = ["| views agree (by) | pairs | ‖e_a − e_b‖² | ÷ (‖e_a‖² + ‖e_b‖²) |", "|---|---|---|---|"]
    for name, row in rows.items():
        for source, own in row["cross_view"].items():
            told = (f"{own['n_pairs']}", _told(own["disagreement"], 3), _told(own["share"], 2))
            lines.append(f"| {name} ({source}) | " + " | ".join(told) + " |")
    return lines if len(lines) > 2 else ["No event has two views."]


def _wins_told(shares: Mapping[str, float | None]) -> str:
    told = {"psnr": "PSNR", "latent_mse": "latent MSE", "end_m": "end point"}
    parts = [f"{told[key]} {100 * share:.0f} %" for key, share in shares.items() if share is not None]
    return "Events in which the model is better than stillness: " + ", ".join(parts) + "."


def _told(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
