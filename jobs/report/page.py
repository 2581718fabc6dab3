"""The page: one HTML file that needs nothing but itself, a function of the report's value alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

from jobs.report import corpus_sections, event_sections, training_sections
from jobs.report.html import Html, join, stat, tag
from jobs.report.report import Report
from jobs.report.svg import duration, percent, shortened, whole


@dataclass(frozen=True)
class Section:
    """One part of the page."""

    name: str
    title: str
    body: Callable[[Report], Html]


SECTIONS = (
    Section("funnel", "What came through", corpus_sections.funnel),
    Section("sources", "Sources", corpus_sections.sources),
    Section("durations", "Durations and cuts", event_sections.durations),
    Section("vocabulary", "Vocabulary", event_sections.vocabulary),
    Section("pairs", "Verbs and objects", event_sections.pairs),
    Section("map", "Cluster map", event_sections.cluster_map),
    Section("balance", "Balance", training_sections.balance),
    Section("findings", "Clocks and cleaning", corpus_sections.findings),
    Section("copies", "Copies and leakage", corpus_sections.copies),
    Section("spending", "Time and tokens", training_sections.spending),
    Section("worst", "The worst", event_sections.galleries),
    Section("review", "Review", training_sections.review),
)


def page(report: Report) -> str:
    """The whole file."""
    files = resources.files("jobs.report")
    style = files.joinpath("style.css").read_text(encoding="utf-8")
    script = files.joinpath("map.js").read_text(encoding="utf-8")
    title = f"{report.title} · Joinery report" if report.title else "Joinery report"
    parts = [
        Html("<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"),
        Html("<meta name='viewport' content='width=device-width, initial-scale=1'>\n"),
        Html("<meta name='color-scheme' content='light dark'>\n"),
        tag("title", title),
        Html(f"\n<style>\n{style}</style>\n</head>\n<body>\n"),
        _contents(),
        Html("\n<main>\n"),
        _head(report),
        *(_section(i, section, report) for i, section in enumerate(SECTIONS, 1)),
        Html("</main>\n"),
        Html(f"<script>\n{script}</script>\n</body>\n</html>\n"),
    ]
    return join(parts)


def _contents() -> Html:
    links = [
        tag("li", tag("a", tag("span", str(i)), section.title, href=f"#{section.name}"))
        for i, section in enumerate(SECTIONS, 1)
    ]
    return tag("nav", tag("p", "Joinery report", style="brand"), tag("ol", *links), aria_label="Sections")


def _section(i: int, section: Section, report: Report) -> Html:
    head = tag("h2", tag("span", str(i)), section.title)
    return join([Html("\n"), tag("section", head, section.body(report), id=section.name), Html("\n")])


def _head(report: Report) -> Html:
    funnel, plan = report.funnel, report.balance
    came = next((node.n for node in funnel.nodes if node.key == "listed"), 0)
    last = next((node for node in reversed(funnel.nodes) if not node.lost), None)
    n_level = next((level.n_events for level in funnel.levels if level.level == funnel.level), 0)
    stats = [
        stat(whole(came), "recordings listed", f"{len(report.sources)} sources"),
        stat(
            whole(last.n if last else 0),
            last.label if last else "kept",
            percent(last.n / came) if came and last else "",
        ),
        stat(duration(funnel.kept_ns), "kept", f"of {duration(funnel.recorded_ns)} recorded"),
        stat(
            whole(n_level),
            f"{funnel.level} events",
            f"{whole(sum(level.n_events for level in funnel.levels))} on all levels",
        ),
    ]
    if plan is not None:
        drawn = sum(split.n_samples for split in plan.splits)
        stats.append(stat(whole(drawn), "samples written", f"{len(plan.splits)} splits"))
    people = report.people
    stats.append(stat(percent(people.n_reviewed / people.n_events) if people.n_events else "–", "reviewed by people"))
    what = [f"recipe {report.recipe}"]
    if plan is not None and plan.shard_set_id:
        what.append(f"shard set {plan.shard_set_id}")
    return tag(
        "header",
        tag("h1", shortened(report.title or "Joinery report", 120)),
        tag("p", " · ".join(what), style="sub"),
        tag("div", *stats, style="stats"),
    )
