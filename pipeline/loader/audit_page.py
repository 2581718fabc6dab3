"""An audit for people: lines for a terminal, and one HTML page that needs nothing but itself."""

from collections.abc import Iterator, Sequence
from html import escape

from pipeline.loader.audit_report import AuditReport, Part, Share

MOST_ROWS = 200
"""Cells shown per table, the furthest from their targets first; the JSON report has all."""
_LINES = 12
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1c1c1c }
h2 { margin: 2.2rem 0 .4rem; font-size: 1.1rem } .id { color: #666; font-size: .8rem; font-family: monospace }
table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums }
th, td { padding: .15rem .6rem; text-align: right; white-space: nowrap }
th { font-weight: 600; border-bottom: 1px solid #bbb }
td.said, th.said { text-align: left; white-space: normal } .bad { color: #a33; font-weight: 600 } .good { color: #276 }
.wide { overflow-x: auto } .bar { display: inline-block; height: .6rem; background: #8ab; vertical-align: middle }
"""


def audit_lines(report: AuditReport) -> Iterator[str]:
    """The report in words."""
    yield f"plan  {report.plan_hash}"
    yield f"{report.n_steps:,} steps, {report.n_draws:,} draws" + _set(report)
    yield from (f"before  {older}" for older in report.history)
    if report.steps_consumed is not None:
        yield _consumed(report)
    for check in report.checks:
        yield f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.said}"
    for part in report.parts:
        yield from _part_lines(part)
    if report.quarantined:
        yield f"quarantined: {len(report.quarantined)} members, {report.substituted:,} draws substituted"
        for name, n in list(report.quarantined.items())[:_LINES]:
            yield f"  {name}: {n} draws"
        if len(report.quarantined) > _LINES:
            yield f"  … {len(report.quarantined) - _LINES} more; --json and --html list them all"
    failed = sum(not check.ok for check in report.checks)
    yield f"{failed} of {len(report.checks)} checks failed" if failed else f"all {len(report.checks)} checks hold"


def _set(report: AuditReport) -> str:
    level = f", events of level {report.level}" if report.level else ""
    return f"; shard set {report.shard_set_id}{level}" if report.shard_set_id else ""


def _consumed(report: AuditReport) -> str:
    worlds = ", ".join(f"{n:,} by {world} {'rank' if world == 1 else 'ranks'}" for world, n in report.worlds.items())
    back = f"; {report.voided} records replaced after going back to a checkpoint" if report.voided else ""
    return f"read: {report.steps_consumed:,} of {report.n_steps:,} steps ({worlds or 'none'}){back}"


def _part_lines(part: Part) -> Iterator[str]:
    variation = ", ".join(f"{name} {value:.5f}" for name, value in part.tv.items())
    yield f"chapter {part.chapter}, {part.what}: {part.n_draws:,} draws, {part.coverage:.2%} of events, TV {variation}"
    for axis in dict.fromkeys(share.axis for share in part.shares):
        shares = _furthest([share for share in part.shares if share.axis == axis])
        for share in shares[: 3 if axis == "cell" else _LINES]:
            yield f"  {axis} {share.label}: {_said(share)}"


def _furthest(shares: Sequence[Share]) -> list[Share]:
    return sorted(shares, key=lambda share: -abs(share.draws - (share.draws if share.target is None else share.target)))


def _said(share: Share) -> str:
    target = "" if share.target is None else f"target {share.target:.4%}, "
    seconds = "" if share.seconds is None else f", {share.seconds:.4%} of seconds"
    lost = f", {share.substituted} substituted" if share.substituted else ""
    return f"{target}{share.draws:.4%} of draws, {share.tokens:.4%} of tokens{seconds}{lost}"


def audit_page(report: AuditReport) -> str:
    """The report as one HTML page."""
    failed = sum(not check.ok for check in report.checks)
    verdict = f"{failed} of {len(report.checks)} checks failed" if failed else f"All {len(report.checks)} checks hold"
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Audit {escape(report.plan_hash[:16])}</title><style>{_STYLE}</style>",
        f"<h1>Realised against target: <span class='{'bad' if failed else 'good'}'>{verdict}</span></h1>",
        f"<p class='id'>{escape(report.plan_hash)}</p>",
        f"<p>{report.n_steps:,} steps, {report.n_draws:,} draws{escape(_set(report))}.</p>",
        *(f"<p>Before: {escape(older)}</p>" for older in report.history),
        *([f"<p>{escape(_consumed(report))}</p>"] if report.steps_consumed is not None else []),
        "<h2>Checks</h2><div class='wide'><table>",
        "<tr><th class='said'>promise<th class='said'>kept<th class='said'>found</tr>",
        *(
            f"<tr><td class='said'>{escape(check.name)}<td class='said {'good' if check.ok else 'bad'}'>"
            f"{'yes' if check.ok else 'no'}<td class='said'>{escape(check.said)}</tr>"
            for check in report.checks
        ),
        "</table></div>",
        *(line for part in report.parts for line in _part_html(part)),
    ]
    if report.quarantined:
        parts.append(f"<h2>Quarantined: {len(report.quarantined)} members, {report.substituted:,} draws</h2><table>")
        parts.append("<tr><th class='said'>event, member, why<th>draws</tr>")
        parts += [f"<tr><td class='said'>{escape(name)}<td>{n}</tr>" for name, n in report.quarantined.items()]
        parts.append("</table>")
    return "\n".join(parts) + "\n"


def _part_html(part: Part) -> Iterator[str]:
    yield f"<h2>Chapter {part.chapter}, {part.what}: {part.n_draws:,} draws</h2>"
    yield f"<p>{part.coverage:.2%} of events occur, none more than {part.most_uses} times. Total variation:</p>"
    yield "<table>" + "".join(f"<tr><td class='said'>{name}<td>{value:.6f}</tr>" for name, value in part.tv.items())
    yield "</table>"
    for axis in dict.fromkeys(share.axis for share in part.shares):
        shares = _furthest([share for share in part.shares if share.axis == axis])
        more = f", the {MOST_ROWS} furthest off of {len(shares)}" if len(shares) > MOST_ROWS else ""
        largest = max((share.draws for share in shares), default=0.0) or 1.0
        yield f"<h2>By {axis}{more}</h2><div class='wide'><table><tr><th class='said'>{axis}<th>events<th>target"
        yield "<th>draws<th>tokens<th>seconds<th>number<th>substituted<th class='said'></tr>"
        for share in shares[:MOST_ROWS]:
            target = "" if share.target is None else f"{share.target:.4%}"
            seconds = "" if share.seconds is None else f"{share.seconds:.4%}"
            bar = f"<span class='bar' style='width:{share.draws / largest * 12:.2f}rem'></span>"
            yield (
                f"<tr><td class='said'>{escape(share.label)}<td>{share.n_events}<td>{target}<td>{share.draws:.4%}"
                f"<td>{share.tokens:.4%}<td>{seconds}<td>{share.n_draws}<td>{share.substituted}<td class='said'>{bar}"
            )
        yield "</table></div>"
