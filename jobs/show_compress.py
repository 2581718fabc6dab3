"""How ``joinery compress`` prints what it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console

from jobs.show import print_json, size, table
from trainer.compress.fp8_run import Fp8Outcome
from trainer.compress.latency import STAGES, Latency


def quantised(out: Console, made: Fp8Outcome, as_json: bool) -> None:
    """Worst layers first, then the whole."""
    report = made.report
    if as_json:
        print_json({**asdict(made), "checkpoint": str(made.checkpoint), "smaller": report.smaller})
        return
    shown = table("layer", "shape", "weight error", "output error", "GPU kernel")
    for layer in sorted(report.layers, key=lambda each: -(each.output or each.weight))[:10]:
        output = "" if layer.output is None else f"{layer.output:.2%}"
        shape = "×".join(map(str, layer.shape))
        shown.add_row(layer.name, shape, f"{layer.weight:.2%}", output, "yes" if layer.kernel else "no")
    out.print(shown)
    said = [
        f"{len(report.layers)} layers in FP8, {report.left_alone} left alone, "
        f"{size(report.bytes_float32)} → {size(report.bytes_fp8)} ({report.smaller:.2f}× smaller)"
    ]
    if made.exact is not None and made.quantised is not None:
        said += [
            f"imagined video {made.video_error or 0:.2%} off, actions {made.action_error or 0:.2%}",
            f"on {made.exact.events} held-out events × {made.seeds} seeds: action MAE "
            f"{made.exact.action_mae:.4f} → {made.quantised.action_mae:.4f} σ, "
            f"end point {made.exact.end_point_m:.4f} → {made.quantised.end_point_m:.4f} m, "
            f"latent MSE {made.exact.latent_mse:.5f} → {made.quantised.latent_mse:.5f}",
        ]
    for line in [*said, f"checkpoint {made.checkpoint}"]:
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def latencies(out: Console, rows: Sequence[Latency], as_json: bool) -> None:
    """Medians, and the 95th percentile of the whole."""
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    shown = table("precision", "mode", "steps", "graphs", *(f"{name} ms" for name in STAGES), "all p50", "p95")
    for row in rows:
        asked = row.asked
        stages = [f"{row.p50_ms[name]:.2f}" for name in STAGES]
        shown.add_row(
            asked.precision, asked.mode, str(asked.steps), "yes" if asked.graphs else "no", *stages,
            f"{row.p50_ms['all']:.2f}", f"{row.p95_ms['all']:.2f}",
        )  # fmt: skip
    out.print(shown)
    for note in sorted({row.note for row in rows if row.note}):
        out.print(note, markup=False, highlight=False, soft_wrap=True)
