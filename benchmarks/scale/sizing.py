"""The figures of docs/scaling.md, worked out from what was measured: ``python -m benchmarks.scale.sizing [--write]``.

Reads benchmarks/results/{growth,pixels,planning,corpus,vlm_budget}.json and nothing else. Prices, and how fast a GPU
answers, are parameters and no measurements. ``--write`` puts the tables into the page, between its two marks; a test
holds the page against this file, so that neither drifts.
"""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
RESULTS, PAGE = ROOT / "benchmarks" / "results", ROOT / "docs" / "scaling.md"
BEGIN, END = "<!-- sizing: begin -->", "<!-- sizing: end -->"
PIXELS = ("ingest", "cut")
ONCE = ("around", "cluster")
"""Imports, and a fit over a bounded sample: no part of what an hour costs."""
PICTURES = ("thumbnails", "clips")
PER_VIEW = ("filmstrips",)
NOT_THE_VIDEOS = ("cluster_models", "fitted_events", "runs", "sampling_plans", "model_calls", "quarantine")
HOURS = (100, 10_000, 1_000_000)
S_PER_HOUR, TB = 3600.0, 1e12
MOST_EVENTS = 1_000_000_000


@dataclass(frozen=True)
class Assumed:
    """What nobody here has measured."""

    views: int = 2
    cores_per_node: int = 64
    days: float = 30.0
    """In which a corpus shall be done."""
    core_hour: float = 0.04
    """Price, in dollars."""
    gpu_hour: float = 2.5
    tb_month: float = 20.0
    gpu_tokens_per_s: float = 5000.0
    """Prompt and completion together, of a vision-language model of some 8 billion weights."""


@dataclass(frozen=True)
class PerHour:
    """What an hour of recording costs, all its views together."""

    cpu_s: dict[str, float]
    source: float
    """Bytes, here and below."""
    tables: float
    pictures: float
    shards: float
    tokens: float


def results(name: str) -> Any:
    """What a benchmark has left."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def per_hour(assumed: Assumed) -> PerHour:
    """Stages that touch pixels as measured on recordings of 640 × 480, all others on made ones of many short events."""
    growth, pixels = results("growth"), results("pixels")
    hours, view_hours = growth["video_s"] / S_PER_HOUR, pixels["video_s"] / S_PER_HOUR
    first = growth["changes"][0]["cost"]["cpu"]
    cpu = {stage: seconds / hours for stage, seconds in first.items() if stage not in ONCE}
    cpu |= {stage: assumed.views * pixels[f"{stage}_cpu_s"] / view_hours for stage in PIXELS}
    sizes, table_hours = growth["table_bytes"], growth["table_video_s"] / S_PER_HOUR
    small = sum(size for name, size in sizes.items() if name not in (*PICTURES, *PER_VIEW, *NOT_THE_VIDEOS))
    strips = sum(sizes[name] for name in PER_VIEW) * assumed.views
    tokens = max(of["tokens_per_minute"] for of in results("vlm_budget")["qwen3_vl"].values())
    return PerHour(
        cpu_s=cpu,
        source=assumed.views * pixels["source_bytes"] / view_hours,
        tables=(small + strips) / table_hours,
        pictures=assumed.views * (pixels["thumbnail_bytes"] + pixels["clip_bytes"]) / view_hours,
        shards=assumed.views * pixels["clip_bytes"] / view_hours,
        tokens=60.0 * tokens,
    )


def page_tables(assumed: Assumed) -> str:
    """What stands between the marks."""
    hour = per_hour(assumed)
    return "\n".join([*_stages(hour), "", *_corpora(hour, assumed), "", *_planning(), "", *_events()])


def _stages(hour: PerHour) -> Iterator[str]:
    yield "| stage | CPU-s per hour of recording |"
    yield "|---|---|"
    for stage, seconds in hour.cpu_s.items():
        yield f"| `{stage}` | {seconds:,.1f} |"
    yield f"| all | {sum(hour.cpu_s.values()):,.0f} |"


def _corpora(hour: PerHour, assumed: Assumed) -> Iterator[str]:
    core_hours = sum(hour.cpu_s.values()) / S_PER_HOUR
    gpu_hours = hour.tokens / assumed.gpu_tokens_per_s / S_PER_HOUR
    kept = hour.tables + hour.pictures + hour.shards
    rows: list[tuple[str, float, str]] = [
        ("core hours", core_hours, ",.0f"),
        ("GPU hours for captions", gpu_hours, ",.0f"),
        ("caption tokens, 10⁹", hour.tokens / 1e9, ",.2f"),
        ("source, TB", hour.source / TB, ",.2f"),
        ("tables, TB", hour.tables / TB, ",.2f"),
        ("thumbnails and clips, TB", hour.pictures / TB, ",.2f"),
        ("shards, TB", hour.shards / TB, ",.2f"),
        ("compute, $", core_hours * assumed.core_hour, ",.0f"),
        ("captions, $", gpu_hours * assumed.gpu_hour, ",.0f"),
        ("storage beside the source, $ a month", kept / TB * assumed.tb_month, ",.0f"),
    ]
    yield "| | " + " | ".join(f"{hours:,} h" for hours in HOURS) + " |"
    yield "|---|" + "---|" * len(HOURS)
    for name, each, form in rows:
        yield f"| {name} | " + " | ".join(format(each * hours, form) for hours in HOURS) + " |"
    per_node = assumed.cores_per_node * assumed.days * 24
    nodes = [math.ceil(core_hours * hours / per_node) for hours in HOURS]
    gpus = [math.ceil(gpu_hours * hours / (assumed.days * 24)) for hours in HOURS]
    yield f"| nodes of {assumed.cores_per_node} cores for {assumed.days:.0f} days | " + _joined(nodes)
    yield f"| GPUs for {assumed.days:.0f} days | " + _joined(gpus)


def _joined(numbers: list[int]) -> str:
    return " | ".join(f"{n:,}" for n in numbers) + " |"


def _planning() -> Iterator[str]:
    rows = results("planning")
    yield "| episodes, all done but 1 % | listing, CPU-s | keys and what is done, CPU-s | peak MiB | `work_done`, MB |"
    yield "|---|---|---|---|---|"
    for row in rows:
        cpu = row["cpu"]
        yield (
            f"| {row['episodes']:,} | {cpu['write the listing'] + cpu['load the listing']:.1f} | "
            f"{cpu['keys and what is done']:.1f} | {row['peak'] / 2**20:,.0f} | {row['bytes']['work_done'] / 1e6:.0f} |"
        )
    first, last = rows[0], rows[-1]
    times = math.log(last["episodes"] / first["episodes"])
    slopes = [
        math.log(last["cpu"][name] / first["cpu"][name]) / times
        for name in ("write the listing", "keys and what is done")
    ]
    yield f"| growth exponent | {slopes[0]:.2f} | {slopes[1]:.2f} | | |"


def _events() -> Iterator[str]:
    """Of the stages that see all events at once; the last column is multiplication from the largest size."""
    by_stage: dict[str, list[dict[str, Any]]] = {}
    for row in results("corpus"):
        by_stage.setdefault(row["stage"], []).append(row)
    sizes = sorted({row["events"] for rows in by_stage.values() for row in rows})
    yield "| CPU-s, peak MiB | " + " | ".join(f"{n:,} events" for n in sizes) + " | growth exponent | 10⁹, core hours |"
    yield "|---|" + "---|" * (len(sizes) + 2)
    for stage, rows in by_stage.items():
        first, last = rows[0], rows[-1]
        power = math.log(last["cpu_s"] / first["cpu_s"]) / math.log(last["events"] / first["events"])
        said = {row["events"]: f"{row['cpu_s']:,.1f}, {row['peak_bytes'] / 2**20:,.0f}" for row in rows}
        far = last["cpu_s"] / last["events"] * MOST_EVENTS / S_PER_HOUR
        cells = " | ".join(said.get(n, "–") for n in sizes)
        yield f"| `{stage}` | {cells} | {power:.2f} | {far:,.0f} |"


def with_tables(page: str, tables: str) -> str:
    """The page with these tables between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables}\n{END}{after}"


def main() -> None:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into docs/scaling.md")
    for name, value in vars(Assumed()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    given = vars(parser.parse_args())
    write = given.pop("write")
    tables = page_tables(Assumed(**given))
    if write:
        PAGE.write_text(with_tables(PAGE.read_text(), tables))
    else:
        print(tables)


if __name__ == "__main__":
    main()
