"""Sections about what comes of it: balance, time and tokens, review."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.costs import Cost
from jobs.report import charts
from jobs.report.balance import Balance
from jobs.report.html import Html, figure, join, legend, missing, remark, stat, table, tag
from jobs.report.people import People, ReviewCount
from jobs.report.report import Report
from jobs.report.svg import THIN, decimals, percent, power, signed, significant, whole
from schemas.cluster import NULL_CLUSTER
from schemas.event import ReviewState
from schemas.plan import Spread
from schemas.time import NS_PER_S

MOST_CLUSTERS = 30
_STATE_STYLES = {"proposed": "q6", "accepted": "q0", "edited": "q2", "rejected": "q5"}
_SPACES = {"vision_language": "looks", "action": "motions"}


def balance(report: Report) -> Html:
    """Before and after, the certificate, and what was really written."""
    plan = report.balance
    if plan is None:
        return missing("There is no sampling plan yet.", f"joinery run {report.recipe}")
    parts: list[str] = [_certificate(plan), _spreads(plan)]
    if not plan.splits:
        parts.append(missing("No shard set is written yet, so nothing is realised.", f"joinery run {report.recipe}"))
    for space, name in _SPACES.items():
        parts += _shares(report, plan, space, name)
    parts += [_uses(plan), _limits(plan), _verbs(plan), _splits(plan)]
    return join(part for part in parts if part)


def _certificate(plan: Balance) -> Html:
    facts = [
        stat(power(plan.kkt_residual), "KKT residual", "0 is the exact optimum"),
        stat(decimals(plan.max_uses), "most uses of one event", "expected, per epoch"),
        stat(whole(round(plan.effective_sample_size)), "effective sample size", f"of {whole(plan.n_events)} events"),
    ]
    if plan.row_deviation is not None:
        facts.append(stat(decimals(plan.row_deviation), "draws off, worst look", "bound: below 1"))
        facts.append(stat(decimals(plan.cell_deviation), "draws off, worst cell", "bound: below 2"))
        facts.append(stat(percent(plan.total_variation or 0.0), "realised against planned", "total variation"))
    said = (
        f"Plan {plan.plan_id}: {plan.method} over {whole(plan.n_cells)} cells, shares by {plan.unit}, "
        f"{whole(plan.n_draws)} draws, solved in {whole(plan.iterations)} steps."
    )
    return join([tag("div", *facts, style="stats small"), remark(said)])


def _spreads(plan: Balance) -> Html:
    rows: list[tuple[str, ...]] = []
    of_source: list[tuple[str, ...]] = []
    for before, after in zip(plan.before, plan.after, strict=True):
        cells = (*_of(before), *_of(after)[2:])
        (of_source if before.source else rows).append(cells)
    head = ("", "bins", "effective / bins", "Gini", "max / min", "effective / bins", "Gini", "max / min")
    told = tag(
        "p",
        "Left three columns as it occurs, right three as planned; effective / bins is 1 where all are drawn alike.",
        style="note",
    )
    more = (
        tag("details", tag("summary", f"By source: {len(of_source)} rows"), table(head, of_source)) if of_source else ""
    )
    return join([tag("h3", "How even it is, before and after"), table(head, rows, style="banded"), told, more])


def _of(spread: Spread) -> tuple[str, ...]:
    name = f"{spread.source}, {spread.axis}" if spread.source else spread.axis
    name = name.replace("_", " ")
    if not spread.n_bins:
        return (name, "0", "–", "–", "–")
    even = decimals(spread.n_effective / spread.n_bins)
    return (name, whole(spread.n_bins), even, decimals(spread.gini), decimals(spread.max_over_min, 1))


def _shares(report: Report, plan: Balance, space: str, name: str) -> list[str]:
    mine = [share for share in plan.clusters if share.space == space]
    if not mine or all(share.cluster == NULL_CLUSTER for share in mine):
        return []
    shown = mine[:MOST_CLUSTERS]
    verbs: dict[int, str] = {}
    if space == "vision_language" and report.cluster_map is not None:
        verbs = {each.cluster: ", ".join(list(each.verbs)[:2]) for each in report.cluster_map.clusters}
    names = [_named(share.cluster, verbs) for share in shown]
    low, high = (max(getattr(share, which) for share in mine) for which in ("natural", "planned"))
    rows = [
        (
            _named(share.cluster, verbs),
            whole(share.n_events),
            percent(share.natural),
            percent(share.planned),
            "–" if share.realised is None else percent(share.realised),
            "–" if share.realised is None else f"{100 * (share.realised - share.planned):+.2f}",
        )
        for share in mine
    ]
    rest = f" Shown are the {len(shown)} largest of {len(mine)}." if len(mine) > len(shown) else ""
    return [
        figure(
            charts.dumbbells(shown, f"Shares of {name}", names),
            f"Clusters of {name}: the largest share goes from {percent(low)} to {percent(high)}.{rest}",
            table(("cluster", "events", "occurs", "planned", "realised", "realised − planned, points"), rows),
            legend=legend((("hollowmark", "occurs"), ("dotmark", "planned"), ("tickmark", "realised"))),
        )
    ]


def _named(cluster: int, verbs: dict[int, str]) -> str:
    if cluster == NULL_CLUSTER:
        return "no actions"
    return f"{cluster} · {verbs[cluster]}" if verbs.get(cluster) else f"cluster {cluster}"


def _uses(plan: Balance) -> Html:
    rows = [
        (
            uses.source or "all",
            whole(uses.n_events),
            percent(uses.natural_share),
            percent(uses.share),
            percent(uses.coverage),
            decimals(uses.fewest),
            decimals(uses.most),
            decimals(uses.effective_sample_size / uses.n_events if uses.n_events else None),
        )
        for uses in plan.uses
    ]
    head = (
        "source",
        "training events",
        "occurs",
        "planned",
        "used at all",
        "fewest uses",
        "most",
        "effective / events",
    )
    return join([tag("h3", "Uses of an event in the epoch"), table(head, rows)])


def _limits(plan: Balance) -> Html:
    if not plan.limits:
        return Html("")
    ordered = sorted(plan.limits, key=lambda limit: (-abs(limit.multiplier), limit.name))[:40]
    rows = [
        (
            limit.name,
            *(f"{value:.4f}" for value in (limit.floor, limit.cap, limit.natural_share, limit.share, limit.multiplier)),
        )
        for limit in ordered
    ]
    return join(
        [tag("h3", "Limits of the recipe"), table(("limit", "floor", "cap", "occurs", "planned", "multiplier"), rows)]
    )


def _verbs(plan: Balance) -> Html:
    agreements = [
        (
            space.replace("_", " "),
            whole(each.n_events),
            whole(each.n_clusters),
            whole(each.n_labels),
            *(decimals(value) if each.n_events else "–" for value in (each.nmi, each.purity, each.ari)),
        )
        for space, each in plan.verb_agreement.items()
    ]
    head = ("clusters", "events", "in use", "verbs", "NMI", "purity", "ARI")
    parts: list[str] = [tag("h3", "Clusters and verbs"), table(head, agreements)]
    if plan.verbs:
        rows = [
            (each.verb, percent(each.natural), percent(each.realised), f"{100 * (each.realised - each.natural):+.1f}")
            for each in plan.verbs
        ]
        shown = tag("summary", "Verbs, as they occur in training and as drawn")
        parts.append(tag("details", shown, table(("verb", "occurs", "drawn", "points"), rows)))
    return join(parts)


def _splits(plan: Balance) -> Html:
    if not plan.splits:
        return Html("")
    rows = [
        (
            split.split,
            whole(split.n_samples),
            whole(split.n_events),
            f"{split.ns / NS_PER_S:.1f}",
            f"{split.n_bytes / 1e6:.1f}",
        )
        for split in plan.splits
    ]
    return join([tag("h3", "What was written"), table(("split", "samples", "events", "seconds", "MB"), rows)])


# -- time and tokens ---------------------------------------------------------------------------------------------------


def spending(report: Report) -> Html:
    """Work per stage, runs, and what models were asked."""
    found = report.spending
    if not any(stage.all_ms for stage in found.stages):
        return missing("Nothing was run yet.", f"joinery run {report.recipe}")
    total = sum(stage.present_ms for stage in found.stages)
    hours = found.video_ns / NS_PER_S / 3600
    rate = f", {significant(total / 1000 / (hours * 3600))} s for every second of kept video" if hours else ""
    rows = [
        (
            stage.stage,
            whole(stage.n_items),
            f"{stage.present_ms / 1000:.1f}",
            percent(stage.present_ms / total) if total else "–",
            f"{(stage.all_ms - stage.present_ms) / 1000:.1f}",
        )
        for stage in found.stages
    ]
    drawn = charts.bars(
        [(stage.stage, stage.present_ms / 1000, f"{stage.present_ms / 1000:.1f}{THIN}s") for stage in found.stages],
        "Seconds of work per stage",
    )
    runs = [
        (
            run.name,
            run.outcome.replace("_", " "),
            run.executor,
            whole(run.done),
            whole(run.cached),
            whole(run.quarantined),
            f"{run.seconds:.1f}",
        )
        for run in found.runs
    ]
    return join(
        [
            figure(
                drawn,
                f"{total / 1000:.1f} s of work, added up over workers, are in what is current{rate}.",
                table(("stage", "items", "seconds", "share", "s in replaced results"), rows),
            ),
            tag("h3", f"Runs: {found.n_runs}"),
            table(("run", "outcome", "executor", "items done", "cached", "quarantined", "seconds"), runs, (0, 1, 2)),
            *_models(found.models_by_source, found.models_by_run),
        ]
    )


def _models(by_source: Sequence[Cost], by_run: Sequence[Cost]) -> list[str]:
    if not by_source:
        return [tag("h3", "Tokens"), remark("No model was asked; captions are templates.")]
    head = (
        "",
        "calls",
        "known",
        "no answer",
        "repeated",
        "tokens in",
        "tokens out",
        "seconds waited",
        "video h",
        "tokens per hour",
    )
    tables = [
        table(
            (what, *head[1:]),
            [
                (
                    cost.name or "(not listed now)",
                    *(
                        whole(n)
                        for n in (
                            cost.calls,
                            cost.cached,
                            cost.without_answer,
                            cost.repeated,
                            cost.prompt_tokens,
                            cost.completion_tokens,
                        )
                    ),
                    f"{cost.seconds:.1f}",
                    f"{cost.video_hours:.2f}",
                    whole(round(cost.per_hour(cost.tokens))),
                )
                for cost in costs
            ],
        )
        for what, costs in (("source", by_source), ("run", by_run))
    ]
    tokens = sum(cost.tokens for cost in by_source)
    drawn = charts.bars(
        [(cost.name or "(not listed now)", float(cost.tokens), f"{whole(cost.tokens)} tokens") for cost in by_source],
        "Tokens by source",
    )
    return [tag("h3", "Tokens"), figure(drawn, f"Models were asked for {whole(tokens)} tokens.", join(tables))]


# -- review ------------------------------------------------------------------------------------------------------------


def review(report: Report) -> Html:
    """What people said, and by how much they moved cuts."""
    found = report.people
    if not found.n_reviewed:
        return missing("Nobody has reviewed anything yet.", f"joinery review serve {report.recipe}")
    drawn = charts.stacked(
        [(count.name, _parts(count)) for count in found.levels if sum(count.states.values())], "Events by review state"
    )
    rows = [_state_row(count) for count in (*found.levels, *found.sources)]
    states = tuple(map(str, ReviewState))
    head = ("level or source", *states, "reviewed", *(f"{state}, of reviewed" for state in states[1:]))
    share = percent(found.n_reviewed / found.n_events)
    told = f"People have looked at {whole(found.n_reviewed)} of {whole(found.n_events)} events ({share})."
    key = legend((_STATE_STYLES[state], state) for state in states)
    return join([figure(drawn, told, table(head, rows), legend=key), _shifts(found)])


def _parts(count: ReviewCount) -> list[tuple[str, int, str]]:
    return [(state, n, _STATE_STYLES[state]) for state, n in count.states.items()]


def _state_row(count: ReviewCount) -> tuple[str, ...]:
    of = [count.states.get(str(state), 0) for state in ReviewState]
    shares = [percent(n / count.n_reviewed) if count.n_reviewed else "–" for n in of[1:]]
    return (count.name, *map(whole, of), whole(count.n_reviewed), *shares)


def _plus_minus(frames: int) -> str:
    return f"+{frames}" if frames > 0 else signed(frames)


def _shifts(found: People) -> Html:
    if not found.n_compared:
        return remark("No boundary of people can be compared with one of the machine.")
    rows = [(_plus_minus(shift.n_frames), float(shift.n), whole(shift.n)) for shift in found.shifts]
    same = sum(shift.n for shift in found.shifts if shift.n_frames == 0)
    mean = sum(shift.n_frames * shift.n for shift in found.shifts) / found.n_compared
    later = f"{mean:+.2f}".replace("-", "−")
    told = (
        f"Of {whole(found.n_compared)} boundaries that people left or moved {percent(same / found.n_compared)} stayed; "
        f"the mean shift is {later} frames (positive: people cut later). {whole(found.n_new)} more have no cut of "
        "the machine near."
    )
    return figure(
        charts.bars(rows, "Frames from the machine's boundary to people's", left=90.0),
        told,
        table(("frames", "boundaries"), [(name, said) for name, _, said in rows]),
    )
