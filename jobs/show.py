"""What the commands print: tables and trees for people, one JSON document for machines."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from jobs.past_runs import past_runs
from pipeline.cards.words import plural
from schemas.event import Level
from schemas.finding import Finding, Verdict
from schemas.recipe import Recipe
from schemas.recipe_file import LoadedRecipe
from schemas.recovery_plan import PAGE, PLAN, RECIPE, ROLLOUT_PAGE, CollectionPlan, RolloutResult, RolloutStatus
from schemas.time import NS_PER_S

if TYPE_CHECKING:  # what is shown is made elsewhere; importing its makers here would slow every command
    from jobs.clusters import ClusterState
    from jobs.costs import Costs
    from jobs.estimate import ModelEstimate
    from jobs.plan import RunPlan
    from jobs.run import RunResult
    from jobs.trace import TracedEpisode, TracedEvent
    from jobs.trees import TreesReport
    from jobs.view import Viewed
    from jobs.why import Reasons
    from pipeline.exporters.folder import Exported
    from pipeline.ledger import StageState
    from pipeline.shards.verify import VerifyReport
    from pipeline.store import Workspace
    from trainer.loop import StepLog
    from trainer.run import TrainReport

_LEVELS = [str(level) for level in Level]
_SHOWN_OF_EACH = 3
_STYLES = {Verdict.DROP: "red", Verdict.TRIM: "yellow", Verdict.KEEP: "dim"}


def plan(out: Console, made: RunPlan, recipe: Recipe, as_json: bool) -> None:
    """Sources, then stages."""
    if as_json:
        print_json(made)
        return
    sources = table("source", "episodes", "size")
    for source in made.sources:
        sources.add_row(source.source, str(source.episodes), size(source.n_bytes))
    out.print(sources)
    stages = table("stage", "items", "cached", "quarantined", "to do")
    for state in made.stages:
        open_end = state.waiting > 0
        todo = f"≤ {state.left + state.waiting}" if open_end else str(state.left)
        if state.total == 0 and not open_end:
            todo = "after the stages above"
        stages.add_row(state.stage, str(state.total), str(state.done), str(state.quarantined), todo)
    out.print(stages)
    _finding_lines(out, made.findings, {})
    out.print(_model_line(made.model))
    out.print(f"executor {recipe.run.executor}, workspace {recipe.workspace.url}")


def _model_line(model: ModelEstimate | None) -> str:
    if model is None:
        return "no model calls (captions are templates)"
    if not model.episodes:
        return f"captions by {model.model}: nothing left to ask"
    if not model.measured:
        return (
            f"captions by {model.model}: {model.episodes} episodes to ask about; calls and tokens once they are aligned"
        )
    tokens = f"{model.prompt_tokens:,} tokens read and {model.completion_tokens:,} written"
    return (
        f"captions by {model.model}: at most about {model.calls:,} calls, {tokens}, for {model.episodes} episodes of "
        f"{model.video_hours:.2f} h; answers kept from earlier runs cost nothing"
    )


def run_result(out: Console, loaded: LoadedRecipe, result: RunResult, as_json: bool) -> None:
    """How a run ended and what to do next."""
    if as_json:
        line: dict[str, Any] = {"event": "run", "run_id": result.run.run_id, "outcome": result.run.outcome}
        line |= {"message": result.run.message, "episodes": result.episodes, "quarantined": result.quarantined}
        line |= {"models": [cost for cost in result.costs.runs if cost.name == result.run.run_id]}
        line |= {"withheld": list(result.withheld)}
        print_json_line(line)
        return
    style = "green" if result.succeeded else "red"
    out.print(f"{result.run.outcome}: {result.run.message}", style=style, highlight=False, soft_wrap=True)
    if result.quarantined:
        out.print(f"reasons: joinery why {loaded.path}", highlight=False, soft_wrap=True)
    for group in result.withheld:
        said = f"{plural(group.n_episodes, 'episode')} ({plural(group.n_events, 'event')}) of {group.source}"
        said = f"left out by shard.allow: {said}, licence {group.licence}"
        out.print(said, style="yellow", highlight=False, soft_wrap=True, markup=False)
    if result.run.outcome != "failed":
        old = "" if result.succeeded else " (latest.json still names the last set that succeeded, if there is one)"
        out.print(f"shards:  {loaded.recipe.workspace.url}/shards{old}", highlight=False, soft_wrap=True)


def status(
    out: Console,
    workspace: Workspace,
    states: Sequence[StageState],
    clusters: Sequence[ClusterState],
    spent: Costs,
    *,
    as_json: bool,
) -> None:
    """Stages and the last runs; clusters and what models have cost are pages of their own."""
    runs = past_runs(workspace)
    if as_json:
        plain = [dataclasses.replace(run, recipe_yaml="") for run in runs]
        print_json({"stages": list(states), "clusters": list(clusters), "runs": plain, "models": spent})
        return
    rows = table("stage", "items", "done", "left", "waiting", "quarantined")
    for state in states:
        cells = (state.total, state.done, state.left, max(state.waiting, 0), state.quarantined)
        rows.add_row(state.stage, *map(str, cells), style="yellow" if state.quarantined else None)
    out.print(rows)
    for run in runs[:5]:
        took = f"{sum(stage.seconds for stage in run.stages):.1f} s"
        said = run.message.partition("\n")[0]  # the end of a server's log is for `joinery why`
        out.print(f"run {run.run_id}  {run.executor}  {run.outcome}  {took}  {said}", highlight=False, soft_wrap=True)


def traced(out: Console, episodes: Sequence[TracedEpisode], as_json: bool) -> None:
    """One tree per episode: its source, its events, their cells and samples."""
    if as_json:
        print_json(list(episodes))
        return
    for episode in episodes:
        tree = Tree(f"[bold]{episode.episode_id}[/bold]  source {episode.source}  {episode.locator}")
        for file in episode.files:
            tree.add(f"[dim]{episode.root}/{file}[/dim]")
        nodes: dict[str, Tree] = {}
        for event in sorted(episode.events, key=lambda event: (_LEVELS.index(event.level), event.start_s)):
            nodes[event.event_id] = nodes.get(event.parent_id, tree).add(_event_label(event))
        out.print(tree, no_wrap=True, overflow="ignore", crop=False)


def _event_label(event: TracedEvent) -> str:
    cell = f"  cell:{event.cell}" if event.cell else ""
    samples = f"  → {', '.join(event.samples)}" if event.samples else ""
    times = f"{event.start_s:.2f}–{event.end_s:.2f} s"
    by = f" [dim](by {escape(event.made_by)})[/dim]" if event.made_by else ""
    said = f"{escape(event.caption)}{by}[green]{cell}{samples}[/green]"
    return f"{event.level} [cyan]{event.event_id}[/cyan] {times}  {said}"


def reasons(out: Console, found: Reasons, as_json: bool, everything: bool) -> None:
    """Failures first, then findings by verdict; of ``everything`` only the first few of each kind and source."""
    if as_json:
        print_json({"failed_run": found.failed_run, "failures": found.failures, "findings": found.findings})
        return
    if found.failed_run:
        out.print("THE LAST RUN FAILED", style="bold red")
        out.print(f"  {found.failed_run}", markup=False, highlight=False, soft_wrap=True)
    for failure in found.failures:
        where = found.locators.get(failure.item, failure.item)
        out.print(f"QUARANTINE {failure.stage}: {where}", style="bold red", highlight=False, soft_wrap=True)
        out.print(f"  {failure.error}: {failure.message}", markup=False, highlight=False, soft_wrap=True)
    shown, more = _first_of_each(found.findings) if everything else (found.findings, Counter[tuple[str, str]]())
    _finding_lines(out, shown, found.locators)
    for (source, check), n in more.items():
        out.print(f"… and {n} more of {source}: {check}; joinery why RECIPE {source}", highlight=False, soft_wrap=True)
    counts = Counter(finding.verdict for finding in found.findings)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in (Verdict.DROP, Verdict.TRIM, Verdict.KEEP))
    out.print(f"{len(found.failures)} quarantined; findings: {said}", highlight=False)


def _first_of_each(findings: Sequence[Finding]) -> tuple[list[Finding], Counter[tuple[str, str]]]:
    """The first findings of each source and check, and how many more there are."""
    seen, shown = Counter[tuple[str, str]](), []
    for finding in findings:
        kind = (finding.source, finding.check)
        seen[kind] += 1
        if seen[kind] <= _SHOWN_OF_EACH:
            shown.append(finding)
    return shown, Counter({kind: n - _SHOWN_OF_EACH for kind, n in seen.items() if n > _SHOWN_OF_EACH})


def _finding_lines(out: Console, findings: Sequence[Finding], locators: dict[str, str]) -> None:
    for finding in findings:
        where = locators.get(finding.subject, finding.subject)
        label = f"{finding.verdict.upper():<5} {finding.stage}/{finding.check}"
        line = f"{label}: {where}{_interval(finding)}{_numbers(finding)}: {_without_place(finding, where)}"
        out.print(line, style=_STYLES[finding.verdict], markup=False, highlight=False, soft_wrap=True)


def _without_place(finding: Finding, where: str) -> str:
    """The message without the source and recording it opens with, which the line has said already."""
    message = finding.message
    for said in (finding.source, where.removeprefix(f"{finding.source}: ")):
        for separator in (": ", ", "):
            message = message.removeprefix(f"{said}{separator}")
    return message


def _interval(finding: Finding) -> str:
    if finding.start_ns is None or finding.end_ns is None:
        return ""
    return f" [{finding.start_ns / NS_PER_S:.2f}–{finding.end_ns / NS_PER_S:.2f} s]"


def _numbers(finding: Finding) -> str:
    if finding.value is None:
        return ""
    threshold = "" if finding.threshold is None else f", threshold {finding.threshold:.4g}"
    return f" (value {finding.value:.4g}{threshold})"


def recovery_plan(out: Console, made: CollectionPlan, folder: Path, as_json: bool) -> None:
    """How much there is to collect, what cannot be used and why."""
    if as_json:
        print(made.model_dump_json(), flush=True)
        return
    rows = table("contact", "events", "starts", "not usable")
    for verb in sorted({event.verb for event in made.events}):
        events = [event for event in made.events if event.verb is verb]
        starts = sum(len(event.usable) for event in events)
        unusable = sum(not event.usable for event in events)
        rows.add_row(str(verb), str(len(events)), str(starts), str(unusable), style="yellow" if unusable else None)
    out.print(rows)
    for why, n in Counter(event.problem for event in made.events if event.problem).most_common():
        out.print(f"not usable: {n} × {why}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    beyond = made.n_contacts - len(made.events)
    if beyond:
        out.print(f"{beyond} more contacts are not in the plan (recover.max_events)", highlight=False, soft_wrap=True)
    out.print(f"plan  {folder / PLAN}", highlight=False, soft_wrap=True)
    out.print(f"page  {folder / PAGE}", highlight=False, soft_wrap=True)


class RolloutLines:
    """Prints one line per start: the callback of ``joinery recover rollout``."""

    def __init__(self, out: Console, as_json: bool) -> None:
        self._out, self._as_json, self._n = out, as_json, 0

    def __call__(self, result: RolloutResult, total: int) -> None:
        if self._as_json:
            print(result.model_dump_json(), flush=True)
            return
        self._n += 1
        became = {True: "success", False: "failure", None: "outcome unknown"}[result.success]
        said = became if result.status is RolloutStatus.RECORDED else str(result.status)
        why = f": {result.reason}" if result.reason else ""
        what = f"{result.source} {result.verb} {result.kind or ''}".rstrip()
        which = result.start_id or result.event_id
        line = f"{self._n:>5}/{total} {what} {which[:11]}  {said}{why}"
        self._out.print(line, markup=False, highlight=False, soft_wrap=True)


def rolled_out(out: Console, results: Sequence[RolloutResult], folder: Path, as_json: bool) -> None:
    """How many were recorded, how they ended, and what to do next."""
    if as_json:
        return
    recorded = [result for result in results if result.recording]
    done = sum(result.success is True for result in recorded)
    failed = sum(result.success is False for result in recorded)
    said = f"{len(recorded)} recorded: {done} successes, {failed} failures, {len(recorded) - done - failed} unknown"
    out.print(f"{len(results)} starts; {said}", highlight=False, soft_wrap=True)
    out.print(f"page    {folder / ROLLOUT_PAGE}", highlight=False, soft_wrap=True)
    if recorded:
        out.print(f"next    joinery run {folder / RECIPE}", highlight=False, soft_wrap=True)


def verified(out: Console, report: VerifyReport, trees: TreesReport, as_json: bool) -> None:
    """Problems, or what was found in order."""
    if as_json:
        print_json({**dataclasses.asdict(report), "trees": trees})
        return
    for problem in (*trees.problems, *report.problems):
        out.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)
    walked = f"{trees.n_trees} event trees, {trees.n_events} events"
    looked = f"{report.n_shards} shards, {report.n_samples} samples, {report.n_clips} clips, {report.n_frames} frames"
    _in_order(out, f"workspace: {walked}", trees.problems)
    _in_order(out, f"{report.shard_set_id}: {looked}, {size(report.n_bytes)}", report.problems)


def _in_order(out: Console, looked: str, problems: Sequence[str]) -> None:
    said = f"{len(problems)} problems" if problems else "everything in order"
    out.print(f"{looked}: {said}", highlight=False, soft_wrap=True, style="red" if problems else "green")


def viewed(out: Console, made: Viewed, as_json: bool) -> None:
    """How much was written where."""
    if as_json:
        print_json(made)
        return
    said = f"{made.path}: {made.spans} spans of {made.episodes} episodes"
    out.print(said, markup=False, highlight=False, soft_wrap=True)


def exported(out: Console, made: Exported, as_json: bool) -> None:
    """What lies where now, and what was left behind."""
    if as_json:
        print_json(made)
        return
    there = "" if made.written else ", which were there already, byte for byte"
    said = f"{made.path}: {made.n_events} events with {made.n_frames} frames in {made.n_files} files{there}"
    out.print(said, markup=False, highlight=False, soft_wrap=True)
    for sentence, n_events in made.losses.items():
        out.print(f"  {n_events} events: {sentence}", markup=False, highlight=False, soft_wrap=True)


class TrainingLines:
    """Prints one line per logged optimiser step: the callback of ``joinery train``."""

    def __init__(self, out: Console, steps: int, as_json: bool) -> None:
        self._out, self._steps, self._as_json = out, steps, as_json

    def __call__(self, line: StepLog) -> None:
        if self._as_json:
            print_json_line({"event": "step", **_plain(line)})
            return
        every = max(1, self._steps // 10)
        if line.step % every == 0 or line.step in (1, self._steps):
            losses = f"loss {line.loss:.4f}  video {line.video:.4f}  action {line.action:.4f}"
            self._out.print(f"step {line.step:>5}/{self._steps}  {losses}", highlight=False)


def trained(out: Console, report: TrainReport, as_json: bool) -> None:
    """Where the model is and how far the loss fell."""
    if as_json:
        print_json_line({"event": "trained", **_plain(report)})
        return
    if report.first is None or report.last is None:
        out.print(f"nothing left to do: {report.checkpoint} has all {report.steps} steps", highlight=False)
        return
    fell = f"loss {report.first.loss:.4f} → {report.last.loss:.4f}"
    out.print(f"{report.parameters:,} parameters, {report.tokens:,} tokens, {fell}", highlight=False, style="green")
    out.print(f"checkpoint {report.checkpoint}", highlight=False, soft_wrap=True)
    out.print(f"log        {report.log}", highlight=False, soft_wrap=True)


def table(first: str, *rest: str) -> Table:
    """Plain columns; all but the first hold numbers."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    made.add_column(first)
    for name in rest:
        made.add_column(name, justify="right")
    return made


def size(n_bytes: int) -> str:
    """``12.3 MB`` and the like, in powers of 1000."""
    value = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{value:.1f} {unit}" if unit != "B" else f"{n_bytes} B"
        value /= 1000
    return f"{n_bytes} B"


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def print_json(value: Any) -> None:
    """One indented document on stdout."""
    print(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def print_json_line(value: Any) -> None:
    """One object on a line of its own."""
    print(json.dumps(_plain(value), ensure_ascii=False), flush=True)
