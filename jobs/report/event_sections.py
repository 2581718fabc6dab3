"""Sections about events: durations, vocabulary, pairs, the map, the worst."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from jobs.report import charts
from jobs.report.cluster_map import ClusterMap, MapPoint
from jobs.report.events import RARE, Events, Vocabulary
from jobs.report.galleries import Entry, Gallery
from jobs.report.html import Html, figure, join, legend, missing, remark, table, tag
from jobs.report.report import Report, plain
from jobs.report.svg import decimals, duration, most_frequent, percent, shortened, significant, whole

S_PER_MIN_NS = 60 * 1_000_000_000
MOST_SOURCES = 30


def review_link(report: Report, episode_id: str, event_id: str = "", frame: int | None = None) -> str:
    """Where the review app shows an event, at a picture."""
    asked = [f"event={event_id}"] if event_id else []
    asked += [f"frame={frame}"] if frame is not None else []
    return f"{report.review_url}/#/episode/{episode_id}" + (f"?{'&'.join(asked)}" if asked else "")


def _none_yet(report: Report) -> Html:
    return missing("There are no captioned events under this recipe yet.", f"joinery run {report.recipe}")


def durations(report: Report) -> Html:
    """How long events last, and how often video is cut."""
    found = report.events
    if found is None:
        return _none_yet(report)
    said = "; ".join(f"{each.level} {duration(each.quantiles_ns[2])}" for each in found.durations if each.n_events)
    rows = [
        (
            each.level,
            whole(each.n_events),
            *(duration(ns) for ns in (each.shortest_ns, *each.quantiles_ns, each.longest_ns)),
        )
        for each in found.durations
    ]
    return join(
        [
            figure(
                charts.histograms(found.durations, found.first_bin),
                f"Median durations: {said}.",
                table(("level", "events", "least", *charts.quantile_names(), "most"), rows),
                legend=legend((("dotmark", "median"), ("boxmark", "middle half"), ("whiskermark", "5 % to 95 %"))),
            ),
            _density(found),
            _kinds(found),
        ]
    )


def _density(found: Events) -> Html:
    level = found.level
    rows = [
        (each.source, each.cuts.get(level, 0) * S_PER_MIN_NS / each.kept_ns, each)
        for each in found.densities[:MOST_SOURCES]
    ]
    head = ("source", "kept video", "task", "subtask", "action", "segment", "not in events")
    cells = [
        (
            each.source,
            duration(each.kept_ns),
            *(decimals(each.cuts.get(name, 0) * S_PER_MIN_NS / each.kept_ns, 1) for name in head[2:6]),
            percent(1 - each.covered_ns / each.kept_ns),
        )
        for each in found.densities
    ]
    cuts = sum(each.cuts.get(level, 0) for each in found.densities)
    ns = sum(each.kept_ns for each in found.densities) or 1
    return figure(
        charts.bars([(name, value, f"{value:.1f} per minute") for name, value, _ in rows], "Cuts per minute by source"),
        f"{decimals(cuts * S_PER_MIN_NS / ns, 1)} {level} boundaries per minute of kept video, without its edges.",
        table(head, cells),
    )


def _kinds(found: Events) -> Html:
    total = sum(kind.n for kind in found.kinds) or 1
    rows = [
        (kind.kind, whole(kind.n), percent(kind.n / total), decimals(kind.mean_confidence), decimals(kind.mean_sigma_s))
        for kind in found.kinds
    ]
    return figure(
        charts.bars(
            [
                (kind.kind, float(kind.n), f"{whole(kind.n)}, confidence {decimals(kind.mean_confidence)}")
                for kind in found.kinds
            ],
            "Boundaries of segments by kind",
        ),
        f"What ends a segment: {most_frequent({kind.kind: kind.n for kind in found.kinds}, 4)}.",
        table(("kind", "boundaries", "share", "mean confidence", "mean ± s"), rows),
    )


# -- names -------------------------------------------------------------------------------------------------------------


def vocabulary(report: Report) -> Html:
    """How often verbs and objects are named."""
    found = report.events
    if found is None:
        return _none_yet(report)
    shown = [each for each in found.vocabularies if each.n_names]
    if not shown:
        return remark(f"There are no {found.level} events.")
    parts = [tag("div", *(_vocabulary(each) for each in shown), style="pair")]
    parts += [remark(f"No event names any {each.what}.") for each in found.vocabularies if not each.n_names]
    head = ("", "names", "events", "top 1", "top 5", "top 10", "top 20", "Gini", f"names below {RARE}", "their events")
    rows = [
        (
            each.what,
            whole(each.n_names),
            whole(each.n_events),
            *(percent(share) for share in each.top_shares.values()),
            decimals(each.gini),
            whole(each.n_rare),
            percent(each.n_rare_events / each.n_events),
        )
        for each in shown
    ]
    parts.append(table(head, rows))
    for each in shown:
        if each.never:
            parts.append(
                remark(
                    f"{len(each.never)} {each.what} of the closed vocabulary that no event has: ", ", ".join(each.never)
                )
            )
    return join(parts)


def _vocabulary(each: Vocabulary) -> Html:
    rows = [
        (str(rank), name, whole(n), percent(n / each.n_events), "rare" if n < RARE else "")
        for rank, (name, n) in enumerate(each.counts.items(), 1)
    ]
    more = each.n_names - len(each.counts)
    beside = join(
        [
            table(("rank", each.what, "events", "share", ""), rows, (1, 4)),
            *([remark(f"and {whole(more)} more")] if more else []),
        ]
    )
    top = percent(each.top_shares["10"])
    said = f"{whole(each.n_names)} {each.what}; the ten most frequent are {top} of {whole(each.n_events)}."
    key = legend((("dotmark", "events of a name, by rank"), ("rare", f"rare: below {RARE}")))
    return figure(charts.rank_frequency(each), said, beside, legend=key)


def pairs(report: Report) -> Html:
    """Which verbs meet which objects, empty pairs shown."""
    if report.events is None:
        return _none_yet(report)
    found = report.events.pairs
    if not found.n_all:
        return remark(f"There are no {report.events.level} events.")
    n_cells = found.n_verbs * found.n_objects
    rows = [(verb, *(whole(n) if n else "·" for n in row)) for verb, row in zip(found.verbs, found.counts, strict=True)]
    n_empty = n_cells - found.n_filled
    said = f"{whole(found.n_filled)} of {whole(n_cells)} pairs occur; {whole(n_empty)} are empty"
    said += f" ({percent(n_empty / n_cells)})."
    parts: list[str] = [
        figure(
            charts.heat_map(found),
            said,
            table(("verb", *found.objects), rows),
            legend=legend((("empty", "empty"), ("heat1", "few"), ("heat3", ""), ("heat6", "many (logarithmic)"))),
        )
    ]
    if found.n_shown < found.n_all:
        parts.append(
            remark(
                f"Shown are the {len(found.verbs)} most frequent of {whole(found.n_verbs)} verbs and "
                f"{len(found.objects)} of {whole(found.n_objects)} objects: {percent(found.n_shown / found.n_all)} of "
                f"{whole(found.n_all)} pairings. "
                "An event with several objects counts for each."
            )
        )
    return join(parts)


# -- map ---------------------------------------------------------------------------------------------------------------


def cluster_map(report: Report) -> Html:
    """Events in the plane; a click opens the event in the review app."""
    found = report.cluster_map
    if found is None:
        return missing("Events have no place among clusters yet.", f"joinery run {report.recipe}")
    ways: tuple[tuple[str, Callable[[MapPoint], str]], ...] = (
        ("source", lambda point: point.source),
        ("verb", lambda point: point.verb),
        ("cluster", lambda point: f"cluster {point.cluster}"),
    )
    keys = {name: _colours([of(point) for point in found.points]) for name, of in ways}
    names = keys["source"][0]
    drawn = charts.scatter(found.points, keys["source"][1], f"{len(found.points)} events in the plane of most variance")
    buttons = [
        tag("button", name, type="button", data_by=name, aria_pressed="true" if name == "source" else "false")
        for name in keys
    ]
    key = legend((f"k{i}", name) for i, name in enumerate(names))
    sampled = len(found.points) < found.n_events
    how = (
        f"a sample of {whole(len(found.points))} of {whole(found.n_events)} events, chosen by hash"
        if sampled
        else f"all {whole(found.n_events)} events"
    )
    said = (
        f"Look and motion together, {how}; the axes carry {percent(found.explained[0])} and "
        f"{percent(found.explained[1])} of the variance, so what lies apart is different, what lies "
        "together need not be alike."
    )
    data: dict[str, Any] = {
        "base": f"{report.review_url}/#/episode/",
        "episodes": sorted({point.episode_id for point in found.points}),
        "names": {name: key_names for name, (key_names, _) in keys.items()},
        "colours": {name: colours for name, (_, colours) in keys.items()},
    }
    place = {episode: i for i, episode in enumerate(data["episodes"])}
    data["points"] = [
        [
            point.event_id,
            place[point.episode_id],
            point.frame,
            f"{point.caption or point.verb} · {point.source} · cluster {point.cluster}",
        ]
        for point in found.points
    ]
    choice = tag("div", tag("span", "colour by", style="quiet"), *buttons, style="buttons", id="map-by")
    beside = tag(
        "div",
        choice,
        tag("div", key, id="map-key"),
        remark("Click an event to open it in the review app."),
        style="mapside",
    )
    laid = tag("div", Html(drawn), beside, style="mapgrid")
    return join(
        [
            figure(laid, said, _clusters(report, found), summary="Table of clusters"),
            tag("div", id="map-tip", hidden=""),
            _data("map-data", data),
            _stability(found),
        ]
    )


def _data(name: str, value: object) -> Html:
    """JSON a script reads; it cannot end the element it stands in, whatever captions say."""
    said = json.dumps(plain(value), ensure_ascii=True, separators=(",", ":"))
    said = said.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Html(f"<script type='application/json' id='{name}'>{said}</script>")


def _colours(labels: Sequence[str]) -> tuple[list[str], list[int]]:
    """Names with a colour of their own, the most frequent, and the colour of every label; the others share the last."""
    counts = Counter(labels)
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    own = ordered[: charts.N_COLOURS]
    number = {name: i for i, name in enumerate(own)}
    rest = len(ordered) - len(own)
    names = own + ([f"{rest} more"] if rest else [])
    return names, [number.get(label, charts.N_COLOURS) for label in labels]


def _clusters(report: Report, found: ClusterMap) -> Html:
    rows = [
        (
            str(each.cluster),
            whole(each.n_events),
            percent(each.n_tail / each.n_events),
            most_frequent(each.verbs),
            most_frequent(each.sources),
            tag(
                "a",
                shortened(each.caption or each.example[0], 60),
                href=review_link(report, each.example[1], each.example[0], each.example[2]),
            ),
        )
        for each in found.clusters
    ]
    more = f", the {len(rows)} largest" if found.n_clusters > len(rows) else ""
    return join(
        [
            table(("cluster", "events", "in the tail", "verbs", "sources", "nearest to its middle"), rows, (3, 4, 5)),
            remark(
                f"{whole(found.n_clusters)} vision-language clusters{more}; ",
                f"{whole(found.n_tail)} events are in the tail.",
            ),
        ]
    )


def _stability(found: ClusterMap) -> Html:
    rows = [
        (
            each.space.replace("_", " "),
            each.embedding_model,
            str(each.n_clusters),
            decimals(each.seed_ari),
            "not measured" if each.seed_ari is None else "stable" if each.seed_ari >= 0.75 else "changes with the seed",
            whole(each.smallest_cluster),
            whole(each.n_fitted),
            str(each.version),
        )
        for each in found.stability
    ]
    head = ("space", "embedding", "K", "seed ARI", "", "smallest", "fitted on", "version")
    return join(
        [
            tag("h3", "How stable the clusters are"),
            table(head, rows, (0, 1, 4)),
            remark(
                "Seed ARI: how far fits of other seeds put the same events together (1: the same clusters; 0: chance)."
            ),
        ]
    )


# -- the worst ---------------------------------------------------------------------------------------------------------


def galleries(report: Report) -> Html:
    """Where a person should look first."""
    return join(_gallery(report, each) for each in report.galleries)


def _gallery(report: Report, gallery: Gallery) -> Html:
    head = tag("h3", gallery.title, " ", tag("small", f"{len(gallery.entries)} of {whole(gallery.n_candidates)}"))
    if not gallery.entries:
        return join([head, remark("Nothing to see here.")])
    cards = [_entry(report, gallery, each) for each in gallery.entries]
    rows = [
        (
            each.source,
            each.locator,
            tag(
                "a",
                each.event_id or each.episode_id,
                href=review_link(report, each.episode_id, each.event_id, each.frame),
            ),
            str(each.frame),
            duration(each.t_ns),
            significant(each.value),
            each.said,
        )
        for each in gallery.entries
    ]
    columns = ("source", "recording", "id", "frame", "at", gallery.measure, "")
    return join(
        [
            head,
            tag("div", *cards, style="gallery"),
            tag("details", tag("summary", "Table"), table(columns, rows, (0, 1, 2, 6))),
        ]
    )


def _entry(report: Report, gallery: Gallery, entry: Entry) -> Html:
    link = review_link(report, entry.episode_id, entry.event_id, entry.frame)
    pictures = [
        Html(
            f"<img{' class=cut' if picture.frame == entry.cut else ''} src='data:image/jpeg;base64,{picture.jpeg}' "
            f"alt='frame {picture.frame}' title='frame {picture.frame}'>"
        )
        for picture in entry.strip
    ]
    shown = tag("div", *pictures, style="strip") if pictures else tag("div", "no pictures", style="strip none")
    curve = [Html(charts.curve(entry.curve, entry.curve_step_ns))] if entry.curve else []
    where = f"{entry.source}: {entry.locator}" + (f" · frame {entry.frame}" if entry.event_id else "")
    words = tag(
        "div",
        tag("p", tag("b", significant(entry.value)), " ", tag("span", gallery.measure, style="quiet")),
        tag("p", shortened(entry.said, 190)),
        tag("p", where, style="quiet"),
    )
    return tag("a", shown, tag("div", words, *curve, style="words"), href=link, style="entry")
