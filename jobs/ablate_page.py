"""The report of an ablation: one HTML file that needs nothing but itself, a function of rows and settings alone."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from jobs.ablate import Done
from jobs.ablate_arms import BASE
from jobs.ablate_summary import ArmSummary, Interval, verdict
from jobs.report.html import Html, figure, join, remark, slug, stat, table, tag
from jobs.report.svg import THIN, circle, decimals, line, rect, svg, text, ticks, whole
from schemas.recipe_ablate import AblateSpec

_WIDTH, _LEFT, _RIGHT, _TALL, _TOP = 1080.0, 250.0, 150.0, 26.0, 26.0


def ablation_page(spec: AblateSpec, found: Sequence[Done], summaries: Sequence[ArmSummary], shard_set: str) -> str:
    """The whole file."""
    style = resources.files("jobs.report").joinpath("style.css").read_text(encoding="utf-8")
    sections = [
        ("Task Progress", _progress(summaries)),
        ("Against the base", _differences(summaries)),
        ("How far to trust it", join(_trust(spec, summaries))),
        ("What was equal", _equal(spec, found)),
    ]
    parts = [
        Html("<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"),
        Html("<meta name='viewport' content='width=device-width, initial-scale=1'>\n"),
        Html("<meta name='color-scheme' content='light dark'>\n"),
        tag("title", "Ablation · Joinery"),
        Html(f"\n<style>\n{style}</style>\n</head>\n<body>\n"),
        _contents([title for title, _ in sections]),
        Html("\n<main>\n"),
        _head(spec, found, shard_set),
        *(_section(i, title, body) for i, (title, body) in enumerate(sections, 1)),
        Html("</main>\n</body>\n</html>\n"),
    ]
    return join(parts)


def _contents(titles: Sequence[str]) -> Html:
    links = [
        tag("li", tag("a", tag("span", str(i)), title, href=f"#{slug(title)}")) for i, title in enumerate(titles, 1)
    ]
    return tag("nav", tag("p", "Joinery ablation", style="brand"), tag("ol", *links), aria_label="Sections")


def _section(i: int, title: str, body: Html) -> Html:
    return tag("section", tag("h2", tag("span", str(i)), title), body, id=slug(title))


def _head(spec: AblateSpec, found: Sequence[Done], shard_set: str) -> Html:
    n_arms = len({done.cell.arm.name for done in found})
    stats = [
        stat(str(n_arms), "arms", "differing from the base in one factor"),
        stat(str(len(set(spec.seeds))), "seeds", "weights, windows and noise"),
        stat(whole(spec.tokens), "tokens an arm", "at most; counted from its plan"),
        stat(whole(sum(len(done.rows) for done in found)), "episodes", f"{spec.judged.episodes} a seed and arm"),
    ]
    said = f"configuration {spec.config} · {spec.judged.simulator} · shard set {shard_set}"
    return tag("header", tag("h1", "Ablation"), tag("p", said, style="sub"), tag("div", *stats, style="stats"))


def _progress(summaries: Sequence[ArmSummary]) -> Html:
    rows = [(each.arm, each.progress, list(each.by_seed.values())) for each in summaries]
    head = ["arm", "mean", "95 %", "episodes", "success", *(f"seed {seed}" for seed in summaries[0].by_seed)]
    cells = [
        [
            each.arm,
            decimals(each.progress.mean, 1),
            _range(each.progress),
            str(each.episodes),
            f"{100 * each.success:.1f}{THIN}%",
            *(decimals(value, 1) for value in each.by_seed.values()),
        ]
        for each in summaries
    ]
    drawn = _dots(rows, "Mean Task Progress of every arm with its 95 % interval and the mean of every seed", zero=False)
    caption = "Mean Task Progress, 0 to 100. Bar: 95 % of the bootstrap; small dots: means of single seeds."
    return figure(drawn, caption, table(head, cells))


def _differences(summaries: Sequence[ArmSummary]) -> Html:
    rows: list[tuple[str, Interval, Sequence[float]]] = [
        (each.arm, each.difference, ()) for each in summaries if each.difference is not None
    ]
    if not rows:
        return tag("p", "There is no arm but the base.")
    head = ["arm", "less base", "95 %", "what may be said"]
    cells = [[name, decimals(each.mean, 1), _range(each), verdict(each)] for name, each, _ in rows]
    drawn = _dots(rows, "Difference of every arm from the base, paired, with its 95 % interval", zero=True)
    caption = "Arm less base over the same seeds and scenes; right of the line the arm is better."
    return figure(drawn, caption, table(head, cells, words=(0, 3)))


def _equal(spec: AblateSpec, found: Sequence[Done]) -> Html:
    head = ["arm", "seed", "tokens", "optimiser steps", "windows", "asked for", "plan"]
    cells = [
        [
            done.cell.arm.name,
            str(done.cell.seed),
            whole(done.trained.tokens),
            whole(done.trained.steps),
            whole(done.trained.draws),
            f"{_LENGTHS[done.cell.arm.regime.length]}, {_TEXTS[done.cell.arm.regime.text]}",
            done.trained.plan_hash[:12],
        ]
        for done in found
    ]
    said = (
        "Every arm reads the same recordings, starts from the same weights and meets the same scenes for the same "
        f"simulated {spec.judged.limit_s:g} s. Tokens differ by less than one step's: windows are not cut in two. What "
        "differs with the windows is how many there are, and so how many steps they fill."
    )
    return join([tag("p", said), table(head, cells, words=(0, 5, 6))])


_FLOOR = "Nobody has learnt the task here: every arm is near the floor, and a floor hides differences."
_AT_THE_FLOOR = 10.0
"""Task Progress of the best arm."""
_LENGTHS = {"verb": "the verb's usual length", "chunk": "one chunk"}
_TEXTS = {"event": "the next event's caption", "task": "the task's instruction"}


def _trust(spec: AblateSpec, summaries: Sequence[ArmSummary]) -> list[Html]:
    floor = max(each.progress.mean for each in summaries) < _AT_THE_FLOOR
    said = [
        tag(
            "p",
            f"One simulator, one size of model, {len(set(spec.seeds))} seeds. Whatever the intervals say, this is a "
            "hint and not a result. Intervals draw seeds, and inside each its episodes, with replacement; with so few "
            "seeds they cover less often than 95 times in a hundred.",
        ),
        tag(
            "p",
            "No arm is told how long an event will truly take: lengths are the median of the verb in the training set, "
            "or the chunk's own. Losses are not compared: a window's length tells the model the event's.",
        ),
    ]
    if floor:
        said.insert(0, remark(_FLOOR))
    if any(each.arm in {"caption=subtask", "caption=segment"} for each in summaries):
        said.append(
            tag(
                "p",
                "The simulator knows the words of actions and of the task. Arms trained on words of subtasks or "
                "segments are asked in words of actions, some of which they never read: that is in their difference.",
            )
        )
    return said


def _range(found: Interval) -> str:
    return f"{decimals(found.low, 1)} … {decimals(found.high, 1)}".replace("-", "−")


def _dots(rows: Sequence[tuple[str, Interval, Sequence[float]]], label: str, *, zero: bool) -> str:
    values = [value for _, each, seeds in rows for value in (each.low, each.high, *seeds)]
    low, high = min([0.0, *values]), max([0.0, *values])
    room = 0.06 * (high - low) or 1.0
    low, high = low - (room if zero else 0.0), high + room
    height = _TOP + len(rows) * _TALL + 12

    def x_of(value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - low) / (high - low)

    marks = []
    for tick in ticks(low, high, 8):
        marks += [line(x_of(tick), _TOP - 6, x_of(tick), height - 8, "grid")]
        marks.append(text(x_of(tick), _TOP - 11, f"{tick:g}".replace("-", "−"), "m", "middle"))
    if zero:
        marks.append(line(x_of(0), _TOP - 6, x_of(0), height - 8, "axis"))
    for i, (name, each, seeds) in enumerate(rows):
        y = _TOP + i * _TALL + _TALL / 2
        said = f"{name}: {each.mean:.1f}, {each.low:.1f} … {each.high:.1f}"
        marks.append(text(_LEFT - 14, y + 4, name, "t b" if name == BASE else "t", "end"))
        marks.append(rect(x_of(each.low), y - 3, max(x_of(each.high) - x_of(each.low), 1.0), 6, "fill", said))
        marks += [circle(x_of(value), y, 2.6, "hollow") for value in seeds]
        marks.append(circle(x_of(each.mean), y, 5, "dot", said))
        marks.append(text(_WIDTH - _RIGHT + 14, y + 4, f"{decimals(each.mean, 1)}  ({_range(each)})", "m"))
    return svg(_WIDTH, height, marks, label)
