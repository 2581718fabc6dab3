"""``joinery report`` on a run of the small corpus: exact counts, the same bytes, nothing from outside."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result
from typer.testing import CliRunner

from jobs.cli import app
from jobs.duplicates import duplicates
from jobs.report import balance, galleries, quality, scorecards, spending, tables, write
from jobs.report.people import People, people
from jobs.report.report import Options, gather
from jobs.run import RunResult
from jobs.why import why
from pipeline.store import Workspace
from schemas.cluster import Assignment, Membership
from schemas.episode import Alignment, Episode
from schemas.event import Event, Level, ReviewState
from schemas.plan import SamplingPlan
from schemas.recipe_file import LoadedRecipe
from schemas.run import WorkDone
from schemas.source import EpisodeRef
from tests.jobs.conftest import BUDGET
from tests.jobs.report.retold import ledger_of, retold

Reference = tuple[RunResult, LoadedRecipe]
INLINE = ["--set", BUDGET, "--set", "run.executor=inline"]
HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)>"


def asked(recipe: Path | None, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["report", str(recipe), *arguments, *INLINE])


@pytest.fixture(scope="module")
def folder(reference: Reference, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    result = asked(reference[1].path, "--out", str(out), "--worst", "3")
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / write.DATA).read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / write.PAGE).read_text(encoding="utf-8")


# -- bytes -------------------------------------------------------------------------------------------------------------


def test_the_same_workspace_is_the_same_bytes_in_whatever_order_it_is_read(
    reference: Reference, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = Workspace.scan

    def backwards(self: Workspace, *arguments: Any, **named: Any) -> pa.RecordBatchReader:
        table = straight(self, *arguments, **named).read_all()
        return table.take(pa.array(range(len(table) - 1, -1, -1), pa.int64())).to_reader(max_chunksize=7)

    monkeypatch.setattr(Workspace, "scan", backwards)
    result = asked(reference[1].path, "--out", str(tmp_path), "--worst", "3", "--json")
    assert result.exit_code == 0, result.output
    for name in (write.PAGE, write.DATA):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name
    assert result.stdout.encode() == (folder / write.DATA).read_bytes()


def test_no_date_and_no_path_of_this_machine_is_told(reference: Reference, page: str, told: dict[str, Any]) -> None:
    run = reference[0].run
    assert run.run_id not in page
    assert run.started_at[:10] not in page + json.dumps(told)
    assert reference[1].recipe.workspace.url not in page + json.dumps(told)


def test_the_default_place_is_the_workspace(reference: Reference, tmp_path: Path) -> None:
    loaded = reference[1]
    workspace = Workspace.existing(loaded.recipe.workspace.url)
    ledger = ledger_of(workspace, loaded)
    written = write.write_report(workspace, ledger, loaded.recipe, Options("demo.yaml"), str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b" / "report.json").read_text("utf-8") == written.text
    assert write.FOLDER == "report"


# -- counts ------------------------------------------------------------------------------------------------------------


def _conserved(nodes: list[dict[str, Any]], flows: list[dict[str, Any]]) -> Iterator[str]:
    """Bars that more or less leaves, or enters, than is there."""
    for node in nodes:
        into = [flow["n"] for flow in flows if flow["end"] == node["key"]]
        out = [flow["n"] for flow in flows if flow["start"] == node["key"]]
        if (into and sum(into) != node["n"]) or (out and sum(out) != node["n"]):
            yield f"{node['key']}: {into} → {node['n']} → {out}"


def test_the_funnel_adds_up_and_is_what_an_independent_count_finds(reference: Reference, told: dict[str, Any]) -> None:
    loaded, funnel = reference[1], told["funnel"]
    assert [*_conserved(funnel["nodes"], funnel["flows"])] == []
    assert [*_conserved(funnel["event_nodes"], funnel["event_flows"])] == []
    workspace = Workspace.existing(loaded.recipe.workspace.url)
    ledger = ledger_of(workspace, loaded)
    refs = workspace.rows(EpisodeRef)
    kept = {each.episode_id for each in ledger.present(Alignment, "align") if each.kept}
    level = [each for each in ledger.present(Event, "caption") if each.level is loaded.recipe.balance.level]
    (manifest,) = Path(loaded.recipe.workspace.url).glob("shards/*/manifest.parquet")
    samples = pq.read_table(manifest).to_pylist()
    n = {node["key"]: node["n"] for node in (*funnel["event_nodes"], *funnel["nodes"])}
    assert n["listed"] == len(refs)
    assert n["ingested"] == len(ledger.done_attempts("ingest"))
    assert sum(node["n"] for node in funnel["nodes"] if node["key"] == "kept") == len(kept)
    assert n["with events"] == len({each.episode_id for each in level} & kept)
    assert n["in the shard set"] == len({each["episode_id"] for each in samples})
    assert n["action events"] == len(level)
    assert n["in a cell"] == sum(1 for _ in ledger.present(Assignment, "assign"))
    by_split = Counter(each["split"] for each in {each["event_id"]: each for each in samples}.values())
    distinct = {split: len({s["event_id"] for s in samples if s["split"] == split}) for split in by_split}
    assert n["train drawn"] == distinct["train"]
    assert n["train"] == sum(each.split == "train" and each.kept for each in ledger.present(Membership, "dedup"))
    levels = Counter(str(each.level) for each in ledger.present(Event, "caption"))
    assert {each["level"]: each["n_events"] for each in funnel["levels"]} == dict(levels)


def test_every_loss_is_one_that_why_tells(reference: Reference, told: dict[str, Any]) -> None:
    loaded = reference[1]
    workspace = Workspace.existing(loaded.recipe.workspace.url)
    reasons = why(workspace, ledger_of(workspace, loaded), loaded.recipe, None)
    checks = {(each.stage, each.check) for each in reasons.findings if each.verdict == "drop"}
    checks |= {(each.stage, each.error) for each in reasons.failures}
    losses = told["funnel"]["losses"]
    assert {"SourceError"} <= {loss["check"] for loss in losses}, "the corpus has one broken recording"
    assert {(loss["stage"], loss["check"]) for loss in losses} <= checks
    for loss in losses:
        assert sum(loss["by_source"].values()) == loss["n"] >= len(loss["examples"]) > 0
        assert all(example["said"] for example in loss["examples"])


def test_video_is_kept_or_taken_by_a_check_to_the_nanosecond(reference: Reference, told: dict[str, Any]) -> None:
    loaded, funnel = reference[1], told["funnel"]
    ledger = ledger_of(Workspace.existing(loaded.recipe.workspace.url), loaded)
    recorded = sum(int(e.master.end_ns - e.master.times_ns[0]) for e in ledger.present(Episode, "ingest") if e.cameras)
    kept = sum(r.end_ns - r.start_ns for each in ledger.present(Alignment, "align") for r in each.kept)
    assert (funnel["recorded_ns"], funnel["kept_ns"]) == (recorded, kept)
    assert kept + sum(each["ns"] for each in funnel["trimmed"]) == recorded
    assert "black_end" in {each["check"] for each in funnel["trimmed"]}, "the corpus has a black beginning"


def test_scorecards_add_up_to_the_corpus(reference: Reference, told: dict[str, Any]) -> None:
    cards = told["sources"]
    assert {card["source"] for card in cards} == {source.name for source in reference[1].recipe.sources}
    assert scorecards.Scorecard.__dataclass_fields__.keys() == cards[0].keys()
    funnel = told["funnel"]
    assert sum(card["n_listed"] for card in cards) == next(n["n"] for n in funnel["nodes"] if n["key"] == "listed")
    assert sum(card["recorded_ns"] for card in cards) == funnel["recorded_ns"]
    assert sum(card["n_events"] for card in cards) == funnel["event_nodes"][0]["n"]
    assert all(sum(card["captions"].values()) == card["n_events"] for card in cards)
    assert sum(card["n_quarantined"] for card in cards) == 1


def test_balance_is_the_plans_and_the_shard_sets(reference: Reference, told: dict[str, Any]) -> None:
    found, workspace = told["balance"], Path(reference[1].recipe.workspace.url)
    (folder,) = (path.parent for path in workspace.glob("shards/*/plan.json"))
    stated = json.loads((folder / "plan.json").read_text("utf-8"))
    assert found["plan_id"] == stated["plan"]["plan_id"]
    assert found["shard_set_id"] == folder.name
    assert found["row_deviation"] == pytest.approx(stated["realised"]["max_row_deviation"], rel=1e-5)
    assert found["cell_deviation"] == pytest.approx(stated["realised"]["max_cell_deviation"], rel=1e-5)
    for space in ("vision_language", "action"):
        shares = [share for share in found["clusters"] if share["space"] == space]
        for which in ("natural", "planned", "realised"):
            assert sum(share[which] for share in shares) == pytest.approx(1, abs=1e-4), (space, which)
    assert balance.Balance.__dataclass_fields__.keys() == found.keys()
    (plan,) = ledger_of(Workspace.existing(str(workspace)), reference[1]).present(SamplingPlan, "balance")
    assert found["n_events"] == plan.n_events


def test_nothing_leaks_and_a_leak_would_be_told(reference: Reference, told: dict[str, Any]) -> None:
    copies = told["quality"]["copies"]
    assert [copies[f"{what}_on_two_sides"] for what in ("episodes", "groups", "pairs")] == [0, 0, 0]
    loaded = reference[1]
    workspace = Workspace.existing(loaded.recipe.workspace.url)
    listed = duplicates(ledger_of(workspace, loaded))
    assert (copies["n_left_out"], copies["n_events"]) == (listed.n_left_out, listed.n_events)
    assert [pair["episode_id"] for pair in copies["pairs"]] == [pair.episode_id for pair in listed.pairs]
    with tables.Tables(workspace, ledger_of(workspace, loaded), loaded.recipe) as open_tables:
        item = open_tables.rows("SELECT min(item) FROM sample WHERE split = 'train'")[0][0]
        open_tables.make("moved", "SELECT event_id, ? AS item, 'test' AS split FROM sample LIMIT 1", [item])
        open_tables.make(
            "sample_now", "SELECT event_id, item, split FROM sample UNION ALL SELECT event_id, item, split FROM moved"
        )
        open_tables.add("sample", open_tables.arrow("SELECT * FROM sample_now ORDER BY ALL"))
        found = quality.quality(open_tables).copies
    assert found is not None
    assert found.leaks == found.episodes_on_two_sides == 1


def test_time_is_that_of_the_ledger(reference: Reference, told: dict[str, Any]) -> None:
    workspace = Workspace.existing(reference[1].recipe.workspace.url)
    every = round(sum(round(row.seconds * 1000) for row in workspace.rows(WorkDone) if row.stage != "discover"))
    found = told["spending"]
    assert sum(stage["all_ms"] for stage in found["stages"]) == every
    assert sum(stage["present_ms"] for stage in found["stages"]) <= every
    assert [run["name"] for run in found["runs"]] == ["run 1"]
    assert spending.RunLine.__dataclass_fields__.keys() == found["runs"][0].keys()


def test_galleries_hold_the_worst(reference: Reference, told: dict[str, Any]) -> None:
    found = {gallery["name"]: gallery for gallery in told["galleries"]}
    assert set(found) == {"boundaries", "sharpness", "sync", "odd"}
    loaded = reference[1]
    events = ledger_of(Workspace.existing(loaded.recipe.workspace.url), loaded).present(Event, "caption")
    unsure = min(
        event.end.confidence
        for event in events
        if event.level is Level.ACTION and event.end.kind not in ("range_edge", "duration_cap")
    )
    assert found["boundaries"]["entries"][0]["value"] == pytest.approx(unsure)
    for gallery in found.values():
        assert len(gallery["entries"]) <= 3
        of_one = Counter(entry["episode_id"] for entry in gallery["entries"])
        assert max(of_one.values(), default=0) <= galleries.MOST_OF_ONE
        for entry in gallery["entries"]:
            assert 0 < len(entry["strip"]) <= galleries.STRIP
            assert all(len(picture["jpeg"]) <= galleries.MOST_BYTES * 4 / 3 + 4 for picture in entry["strip"])


# -- the page ----------------------------------------------------------------------------------------------------------


class Elements(HTMLParser):
    """Every element with its attributes, and the text of scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {key: value or "" for key, value in attrs}))
        self._inside = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts.append(data)


def test_the_page_needs_nothing_but_itself(page: str) -> None:
    elements = Elements(page).found
    sources = [given[name] for _, given in elements for name in ("src", "data", "srcset", "poster") if name in given]
    assert sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert {tag for tag, _ in elements} & {"link", "iframe", "object", "embed", "base", "form"} == set()
    assert re.search(r"@import|url\(", page) is None
    hrefs = [given["href"] for tag, given in elements if tag == "a"]
    assert all(href.startswith(("#", "http://127.0.0.1:8675/#/episode/ep-")) for href in hrefs)
    ids = {given["id"] for _, given in elements if "id" in given}
    assert {href[1:] for href in hrefs if href.startswith("#")} <= ids


def test_every_figure_has_a_table(page: str) -> None:
    figures = re.findall(r"<figure>.*?</figure>", page, re.DOTALL)
    assert len(figures) > 10
    assert all("<details>" in figure and "<table" in figure and "aria-label=" in figure for figure in figures)


def test_what_data_says_is_never_markup(reference: Reference, tmp_path: Path) -> None:
    loaded = reference[1]
    workspace, _ = retold(
        loaded,
        tmp_path / "workspace",
        lambda tree: [replace(event, caption=HOSTILE, objects=(HOSTILE, "mug & jug")) for event in tree],
    )
    with tables.Tables(workspace, ledger_of(workspace, loaded), loaded.recipe) as open_tables:
        report = gather(open_tables, Options("demo.yaml", worst=50))
    assert HOSTILE in {point.caption for point in report.cluster_map.points} if report.cluster_map else False
    shown = write.page(report)
    elements = Elements(shown)
    assert sum(tag == "script" for tag, _ in elements.found) == 2
    assert all(not key.startswith("on") for _, given in elements.found for key in given)
    assert all(given["src"].startswith("data:") for tag, given in elements.found if tag == "img")
    data = json.loads(elements.scripts[0])
    assert any(HOSTILE in point[3] for point in data["points"]), "the map still says what was written"


# -- parts that are not there ------------------------------------------------------------------------------------------


def test_an_empty_workspace_says_what_to_run(reference: Reference, tmp_path: Path) -> None:
    Workspace.open(str(tmp_path / "empty"))
    result = asked(reference[1].path, "--out", str(tmp_path), "--set", f"workspace.url={tmp_path / 'empty'}")
    assert result.exit_code == 0, result.output
    shown = (tmp_path / "index.html").read_text("utf-8")
    assert shown.count("<p class='missing'>") >= 8
    assert "joinery run demo.yaml" in shown
    assert "Nobody has reviewed anything yet." in shown
    found = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert (found["events"], found["cluster_map"], found["balance"]) == (None, None, None)


@pytest.mark.parametrize(
    ("changed", "stage"),
    [
        ("ingest.thumbnail_hz=2.0", "ingest"),
        ("align.max_lag_s=0.7", "lag"),
        ("embed.action_coefficients=5", "embed"),
    ],
)
def test_what_is_not_done_yet_is_a_loss_like_any_other(
    reference: Reference, tmp_path: Path, changed: str, stage: str
) -> None:
    result = asked(reference[1].path, "--out", str(tmp_path), "--set", changed)
    assert result.exit_code == 0, result.output
    funnel = json.loads((tmp_path / "report.json").read_text("utf-8"))["funnel"]
    assert [*_conserved(funnel["nodes"], funnel["flows"])] == []
    main = [node["key"] for node in funnel["nodes"] if not node["lost"] and node["column"]]
    assert main == ["listed", "ingested", "kept", "with events"]
    assert (stage, "not done yet") in {(loss["stage"], loss["check"]) for loss in funnel["losses"]}
    assert [*_conserved(funnel["event_nodes"], funnel["event_flows"])] == []
    if stage == "embed":
        assert funnel["event_nodes"][0]["n"] == funnel["event_losses"][0]["n"] > 0


def test_without_its_last_stages_the_plan_is_shown_and_nothing_is_realised(
    reference: Reference, tmp_path: Path
) -> None:
    result = asked(reference[1].path, "--out", str(tmp_path), "--set", "shard.samples_per_shard=63")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert found["balance"]["plan_id"]
    assert found["balance"]["row_deviation"] is None
    assert "There is no shard set under this recipe yet" in (tmp_path / "index.html").read_text("utf-8")


def test_links_lead_where_the_reader_says(reference: Reference, tmp_path: Path) -> None:
    base = "https://review.example.org/joinery/"
    assert asked(reference[1].path, "--out", str(tmp_path), "--review-url", base, "--worst", "1").exit_code == 0
    shown = (tmp_path / "index.html").read_text("utf-8")
    assert re.search(r"href='https://review\.example\.org/joinery/#/episode/ep-\w+\?event=ev-\w+&amp;frame=\d+'", shown)
    refused = asked(reference[1].path, "--out", str(tmp_path), "--review-url", "javascript:alert(1)")
    assert refused.exit_code == 1
    assert "--review-url" in refused.stderr


# -- people ------------------------------------------------------------------------------------------------------------


def _reviewed(tree: list[Event]) -> list[Event]:
    """The first inner cut of the actions three frames later, by a person, on every level; one label rejected."""
    actions = sorted((event for event in tree if event.level is Level.ACTION), key=lambda event: event.span)
    frame = next(event.end.frame for event in actions if event.end.kind != "range_edge")
    found = []
    for event in tree:
        start, end = event.start, event.end
        if event.level.depth < Level.ACTION.depth or frame not in (start.frame, end.frame):
            found.append(event)
            continue
        span = event.span
        if start.frame == frame:
            start = replace(start, frame=frame + 3)
            span = replace(span, frame_start=frame + 3)
        else:
            end = replace(end, frame=frame + 3)
            span = replace(span, frame_end=frame + 3)
        by = replace(event.boundaries_by, proposer="human")
        found.append(replace(event, start=start, end=end, span=span, boundaries_by=by, review=ReviewState.EDITED))
    last = found[-1]
    return [*found[:-1], replace(last, review=ReviewState.REJECTED)]


def test_people_are_counted_and_compared_with_the_machine(reference: Reference, tmp_path: Path) -> None:
    loaded = reference[1]
    workspace, item = retold(loaded, tmp_path / "workspace", lambda tree: _reviewed(list(tree)))
    with tables.Tables(workspace, ledger_of(workspace, loaded), loaded.recipe) as open_tables:
        found: People = people(open_tables)
        tree = open_tables.rows("SELECT review, count(*) FROM event WHERE item = ? GROUP BY 1 ORDER BY 1", [item])
    states = dict(tree)
    assert found.n_reviewed == states["edited"] + states["rejected"] == states["edited"] + 1
    assert sum(sum(count.states.values()) for count in found.levels) == found.n_events
    assert 3 in {shift.n_frames for shift in found.shifts}, "the cut that was moved"
    assert all(shift.n_frames in (0, 3) for shift in found.shifts), "all others are the machine's own"
    assert found.n_new == 0
