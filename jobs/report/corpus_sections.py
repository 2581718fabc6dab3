"""Sections about recordings: what came through, the sources, what checks found, copies."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.report import charts
from jobs.report.funnel import NOT_DONE, Flow, Loss, Node
from jobs.report.html import Html, figure, join, legend, missing, remark, slug, table, tag
from jobs.report.quality import Copies
from jobs.report.report import Report
from jobs.report.sankey import sankey
from jobs.report.scorecards import Scorecard
from jobs.report.svg import THIN, duration, most_frequent, percent, shortened, signed, whole
from schemas.time import NS_PER_S

MOST_CARDS = 24
_VERDICTS = ("confirmed", "corrected", "by_source", "unverified", "rejected", "not_applicable")
_WITHOUT_WORDS = {
    NOT_DONE: "this stage has not been run for it under the present recipe",
    "all_copies": "each of its events has a better copy elsewhere",
    "licence_not_allowed": "`shard.allow` does not let its licence through",
    "no_events": "no event of this level was found in it",
    "not_drawn": "none of its events is in any split",
}
"""What is said of losses that no check has worded."""
_TRIM_STYLES = ("q5", "q2", "q1", "q4", "q6")
_FINDING_STYLES = {"drop": "q5", "trim": "q2", "keep": "q4"}
_VERDICT_STYLES = dict(zip(_VERDICTS, ("q0", "q1", "q2", "q4", "q5", "q6"), strict=True))


def funnel(report: Report) -> Html:
    """From sources to the shard set."""
    found = report.funnel
    if not any(node.n for node in found.nodes):
        return missing("Nothing is listed yet.", f"joinery run {report.recipe}")
    parts = [
        figure(
            sankey(found.nodes, found.flows, _said(found.nodes, found.losses), _links(found.losses)),
            _said(found.nodes, found.losses),
            join([_steps(found.nodes, found.flows), _losses(report, found.losses)]),
            summary="Table, with every loss by stage and check",
        )
    ]
    if not found.has_shards:
        parts.append(
            missing(
                "There is no shard set under this recipe yet; the flow ends where it is.",
                f"joinery run {report.recipe}",
            )
        )
    if found.event_nodes:
        parts.append(
            figure(
                sankey(found.event_nodes, found.event_flows, "Events", _links(found.event_losses)),
                _events_said(report),
                join([_steps(found.event_nodes, found.event_flows), _losses(report, found.event_losses)]),
                summary="Table, with every loss by stage and check",
            )
        )
    if found.recorded_ns:
        parts.append(_video(report))
    if found.before_listing:
        parts.append(tag("h3", "Named by a source, and not there"))
        parts.append(remark("Nothing was listed for these, so they are in no count above."))
        rows = [(each.source, each.check, each.said) for each in found.before_listing]
        parts.append(table(("source", "check", "what was found"), rows, (0, 1, 2)))
    return join(parts)


def _said(nodes: Sequence[Node], losses: Sequence[Loss]) -> str:
    main = [node for node in nodes if not node.lost and node.column > 0]
    n_lost = sum(loss.n for loss in losses)
    lost = ", ".join(f"{loss.stage}: {loss.check} ({whole(loss.n)})" for loss in losses[:4])
    more = f" and {len(losses) - 4} more checks" if len(losses) > 4 else ""
    said = f"{whole(main[-1].n)} of {whole(main[0].n)} listed recordings are {main[-1].label}."
    return f"{said} {whole(n_lost)} were lost on the way: {lost}{more}." if losses else f"{said} None was lost."


def _events_said(report: Report) -> str:
    found = report.funnel
    start = found.event_nodes[0]
    drawn = sum(node.n for node in found.event_nodes if node.key == "train drawn")
    reserve = sum(node.n for node in found.event_nodes if node.key.endswith("reserve"))
    n_lost = sum(loss.n for loss in found.event_losses)
    drawn_now = f"{whole(drawn)} are drawn in the training epoch, {whole(reserve)} wait in reserve"
    tail = drawn_now if found.has_shards else "none is written yet"
    return (
        f"Of {whole(start.n)} {found.level} events {whole(n_lost)} {'is' if n_lost == 1 else 'are'} left out; {tail}."
    )


def _links(losses: Sequence[Loss]) -> dict[str, str]:
    return {loss.key: f"why-{slug(loss.key)}" for loss in losses}


def _steps(nodes: Sequence[Node], flows: Sequence[Flow]) -> Html:
    rows = []
    for node in nodes:
        if node.lost:
            continue
        lost = sum(
            flow.n for flow in flows if flow.start == node.key and next(n for n in nodes if n.key == flow.end).lost
        )
        on = sum(flow.n for flow in flows if flow.start == node.key) - lost
        last = not any(flow.start == node.key for flow in flows)
        rows.append((node.label, whole(node.n), "–" if last else whole(on), "–" if last else whole(lost)))
    return table(("step", "there", "went on", "lost here"), rows)


def _losses(report: Report, losses: Sequence[Loss]) -> Html:
    parts: list[str] = []
    for loss in losses:
        sources = list(loss.by_source)
        why = f"joinery why {report.recipe}" + (f" {sources[0]}" if len(sources) == 1 else "")
        head = tag("h4", f"{loss.stage}: {loss.check}", " ", tag("small", f"{whole(loss.n)} lost after “{loss.after}”"))
        body = [remark(most_frequent(loss.by_source, 6), " · ", tag("code", why))]
        if loss.examples:
            body.append(
                table(
                    ("source", "recording", "what was said"),
                    [
                        (each.source, each.locator, _plainly(each.said, each.locator, loss.check))
                        for each in loss.examples
                    ],
                    (0, 1, 2),
                )
            )
            if loss.n > len(loss.examples):
                body.append(remark(f"and {whole(loss.n - len(loss.examples))} more"))
        parts.append(tag("div", head, *body, id=f"why-{slug(loss.key)}", style="why"))
    return join(parts)


def _plainly(said: str, locator: str, check: str) -> str:
    return said.removeprefix(f"{locator}: ") or _WITHOUT_WORDS.get(check, "")


def _video(report: Report) -> Html:
    found = report.funnel
    share = found.kept_ns / found.recorded_ns
    rows = [("recorded", duration(found.recorded_ns), "", "", f"{found.recorded_ns / NS_PER_S:.3f}")]
    for each in found.trimmed:
        part = percent(each.ns / found.recorded_ns)
        rows.append(
            (
                f"− {each.stage}: {each.check}",
                duration(each.ns),
                part,
                whole(each.n_episodes),
                f"{each.ns / NS_PER_S:.3f}",
            )
        )
    rows.append(("kept", duration(found.kept_ns), percent(share), "", f"{found.kept_ns / NS_PER_S:.3f}"))
    parts = [("kept", found.kept_ns, "q0")]
    parts += [(each.check, each.ns, _TRIM_STYLES[i % len(_TRIM_STYLES)]) for i, each in enumerate(found.trimmed)]
    drawn = charts.share_bar("video", duration(found.recorded_ns), parts)
    said = f"{duration(found.kept_ns)} of {duration(found.recorded_ns)} of video are kept ({percent(share)})."
    levels = table(
        ("level", "events", "recordings", "video"),
        [(each.level, whole(each.n_events), whole(each.n_episodes), duration(each.ns)) for each in found.levels],
    )
    key = legend([("q0", "kept"), *((style, what) for what, _, style in parts[1:7])])
    return join(
        [
            figure(drawn, said, table(("video", "time", "share", "recordings", "seconds"), rows), legend=key),
            tag("h3", "Events per level"),
            levels,
        ]
    )


# -- sources -----------------------------------------------------------------------------------------------------------


def sources(report: Report) -> Html:
    """One card per source, and all of them in a table."""
    if not any(card.n_listed for card in report.sources):
        return missing("No source lists anything yet.", f"joinery run {report.recipe}")
    shown = report.sources[:MOST_CARDS]
    rest = len(report.sources) - len(shown)
    parts: list[str] = [tag("div", *(_card(card) for card in shown), style="cards")]
    if rest:
        parts.append(remark(f"{rest} more sources with less video are in the table."))
    head = (
        "source", "kind", "licence", "embodiment", "listed", "read", "kept", "quarantined", "recorded", "kept video",
        "with actions", "events", "captions by", "reviewed", "clocks", "findings",
    )  # fmt: skip
    rows = [
        (
            card.source,
            card.kind,
            ", ".join(card.licences) or "–",
            ", ".join(card.embodiments) or "–",
            whole(card.n_listed),
            whole(card.n_ingested),
            whole(card.n_kept),
            whole(card.n_quarantined),
            duration(card.recorded_ns),
            duration(card.kept_ns),
            percent(card.share_with_actions),
            whole(card.n_events),
            most_frequent(card.captions) or "–",
            percent(card.reviewed / card.n_events) if card.n_events else "–",
            most_frequent(card.sync) or "–",
            most_frequent({f"{each.check} ({each.verdict})": each.n for each in card.findings}, 5) or "none",
        )
        for card in report.sources
    ]
    parts.append(tag("details", tag("summary", "Table"), table(head, rows, (0, 1, 2, 3, 12, 14, 15))))
    return join(parts)


def _card(card: Scorecard) -> Html:
    facts = [
        ("recordings", f"{whole(card.n_kept)} kept of {whole(card.n_listed)}"),
        ("video", f"{duration(card.kept_ns)} of {duration(card.recorded_ns)}"),
        ("with actions", _actions(card)),
        ("clocks", _clocks(card)),
        ("events", whole(card.n_events)),
        ("captions by", most_frequent(card.captions, 2) or "nobody yet"),
        ("reviewed", percent(card.reviewed / card.n_events) if card.n_events else "–"),
        ("licence", ", ".join(card.licences) or "not read yet"),
    ]
    rows = [tag("div", tag("dt", name), tag("dd", said)) for name, said in facts]
    found = [
        tag("li", tag("i", each.verdict, style=f"verdict {each.verdict}"), f" {each.check} ", tag("b", whole(each.n)))
        for each in card.findings[:5]
    ]
    if card.n_quarantined:
        found.insert(
            0, tag("li", tag("i", "quarantine", style="verdict drop"), " ", tag("b", whole(card.n_quarantined)))
        )
    more = [tag("li", f"and {len(card.findings) - 5} more checks")] if len(card.findings) > 5 else []
    listed = tag("ul", *found, *more) if found else tag("p", "no findings", style="quiet")
    what = " · ".join(filter(None, [card.kind, ", ".join(card.embodiments)]))
    return tag(
        "article",
        tag("h3", card.source),
        tag("p", shortened(what, 60), style="sub"),
        tag("dl", *rows),
        listed,
        style="card",
    )


def _actions(card: Scorecard) -> str:
    kinds = {kind: n for kind, n in card.actions.items() if kind != "none"}
    return f"{percent(card.share_with_actions)}{f' ({most_frequent(kinds, 2)})' if kinds else ''}"


def _clocks(card: Scorecard) -> str:
    verdicts = {verdict.replace("_", " "): n for verdict, n in card.sync.items()}
    lag = card.lags[0] if card.lags else None
    said = f"; lag {signed(lag.lag_ns / 1e6)} ± {lag.sigma_ns / 1e6:.0f}{THIN}ms" if lag else ""
    return (most_frequent(verdicts, 2) or "–") + said


# -- findings ----------------------------------------------------------------------------------------------------------


def findings(report: Report) -> Html:
    """Verdicts on clocks by source, and every check."""
    found = report.quality
    parts: list[str] = []
    if found.sync:
        rows = [
            (
                each.source,
                [(name.replace("_", " "), each.verdicts.get(name, 0), _VERDICT_STYLES[name]) for name in _VERDICTS],
            )
            for each in found.sync[:40]
        ]
        total: dict[str, int] = {}
        for each in found.sync:
            for verdict, n in each.verdicts.items():
                total[verdict.replace("_", " ")] = total.get(verdict.replace("_", " "), 0) + n
        cells = [
            (
                each.source,
                *(whole(each.verdicts.get(name, 0)) for name in _VERDICTS),
                "–" if each.moved_ns is None else " / ".join(f"{ns / 1e6:.0f}" for ns in each.moved_ns),
            )
            for each in found.sync
        ]
        head = ("source", *(name.replace("_", " ") for name in _VERDICTS), "moved by, ms: least / median / most")
        parts.append(
            figure(
                charts.stacked(rows, "Episodes by verdict on their clocks"),
                f"Video and action clocks, episodes: {most_frequent(total, 6)}.",
                table(head, cells),
                legend=legend((_VERDICT_STYLES[name], name.replace("_", " ")) for name in _VERDICTS),
            )
        )
    else:
        parts.append(missing("No clocks were compared yet.", f"joinery run {report.recipe}"))
    if not found.checks:
        return join([*parts, remark("No check has found anything.")])
    shown = found.checks[:30]
    bars = [(each.check, float(each.n), whole(each.n)) for each in shown]
    styles = [_FINDING_STYLES[each.verdict] for each in shown]
    counts = {
        verdict: sum(each.n for each in found.checks if each.verdict == verdict) for verdict in ("drop", "trim", "keep")
    }
    rows_of = [
        (each.stage, each.check, each.verdict, whole(each.n), whole(each.n_subjects), most_frequent(each.by_source, 4))
        for each in found.checks
    ]
    parts.append(
        figure(
            charts.bars(bars, "Findings by check", styles=styles),
            f"Findings of {len(found.checks)} checks: {whole(counts['drop'])} drop, {whole(counts['trim'])} trim, "
            f"{whole(counts['keep'])} are worth knowing and remove nothing.",
            table(("stage", "check", "verdict", "findings", "about", "sources"), rows_of, (0, 1, 2, 5)),
            legend=legend((("q5", "drop"), ("q2", "trim"), ("q4", "keep"))),
        )
    )
    parts.append(
        remark("All of them, with values and thresholds: ", tag("code", f"joinery why {report.recipe} --json"))
    )
    return join(parts)


def copies(report: Report) -> Html:
    """What is there more than once, and whether training and what is held out share anything."""
    found = report.quality.copies
    if found is None:
        return missing("Copies were not looked for yet.", f"joinery run {report.recipe}")
    checks = (
        ("recordings with samples on two sides", found.episodes_on_two_sides),
        ("groups of near duplicates on two sides", found.groups_on_two_sides),
        ("copied recordings on another side than what is kept of them", found.pairs_on_two_sides),
    )
    verdict = tag(
        "p",
        tag("b", "No leakage." if not found.leaks else f"{found.leaks} leaks."),
        " Training and held-out splits share ",
        "nothing that was found to be a copy."
        if not found.leaks
        else "copies: see the table, and `split.shared_events`.",
        style="verdictline ok" if not found.leaks else "verdictline bad",
    )
    sides = ", ".join(f"{split} {whole(n)}" for split, n in found.episodes_by_split.items())
    return join(
        [
            verdict,
            table(("check", "found"), [(name, whole(n)) for name, n in checks]),
            remark(f"Recordings by side: {sides or 'none'}."),
            _copy_counts(found),
            *([_pairs(found)] if found.pairs else []),
            remark("All of them: ", tag("code", f"joinery duplicates {report.recipe}")),
        ]
    )


def _copy_counts(found: Copies) -> Html:
    share = percent(found.n_left_out / found.n_events) if found.n_events else "–"
    rows = (
        ("recordings listed twice, the same bytes", whole(found.n_same_bytes)),
        ("recorded once, written twice", whole(found.n_same_recording)),
        ("episodes that share footage with another source", whole(found.n_across_sources)),
        ("groups of near duplicate events", whole(found.n_groups)),
        (f"events left out for a better copy, of {whole(found.n_events)}", f"{whole(found.n_left_out)} ({share})"),
    )
    return join([tag("h3", "What is there more than once"), table(("what", "how many"), rows)])


def _pairs(found: Copies) -> Html:
    rows = [
        (
            f"{pair.source}: {pair.locator}",
            f"{pair.kept_source}: {pair.kept_locator}",
            "one recording" if pair.same_recording else "events",
            "–" if pair.film is None else f"{pair.film:.3f}",
            f"{whole(pair.n_shared)} of {whole(pair.n_events)}",
        )
        for pair in found.pairs
    ]
    more = f", the first {len(found.pairs)}" if found.n_pairs > len(found.pairs) else ""
    return tag(
        "details",
        tag("summary", f"Pairs: {whole(found.n_pairs)}{more}"),
        table(("has copies", "of which better ones are in", "alike in", "film", "events"), rows, (0, 1, 2)),
    )
