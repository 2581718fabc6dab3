"""200 windows through the river, worded by a real vLLM that is killed twice: none is lost or mixed up.

The model is tiny, its weights are random, and it is brief (`tiny_model.py`): its nonsense is short enough to pass for
some windows and be refused for others, by the checks of the product. Here every question is made again from the
committed tables and compared with the ledger; each accepted window must have the words of its own answer; and another
server, asked one question at a time, must give the answers that were given out of order between two kills.

Slow (five to fifteen minutes on two cores). Part of `make test-slow`; by itself, after `make vllm`:
``.venv/bin/python -m pytest -m slow tests/jobs/vllm/test_river.py --timeout=3600 -s``.
What it prints is ``benchmarks/results/vlm_river.txt``.
"""

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from annotators.vlm.answer import sentence
from annotators.vlm.cache import FOLDER, CachedAsker, path_of
from annotators.vlm.client import ServerAsker
from annotators.vlm.episode import Seen, asked_about
from annotators.vlm.request import Answer, Call, Refusal, Request
from annotators.vlm.secret import Secret
from annotators.vlm.window import Window, windows_of
from jobs.listing import list_sources
from jobs.river import RIVER
from jobs.run import RunResult, run_recipe
from jobs.trees import verify_trees
from jobs.vllm.command import CHECKOUT, MODULE, Wanted
from jobs.vllm.fleet import LOOPBACK, ServerHost
from pipeline.aligned import aligned_actions
from pipeline.blobs import Blobs
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from pipeline.synthetic.catalogue import ROBOT_SOURCES
from pipeline.synthetic.lerobot_writer import write_dataset
from schemas.array import Ints
from schemas.episode import ActionTrack, Alignment, Episode
from schemas.event import Event, Level
from schemas.filmstrip import Filmstrip, Thumbnail
from schemas.finding import Finding
from schemas.model_call import CallOutcome, ModelCall
from schemas.recipe_caption import VlmCaption
from schemas.recipe_file import LoadedRecipe, load_recipe
from tests.jobs.runs import Silent, done

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

EPISODES, WINDOWS = 54, 200
KILLED_AFTER = (60, 200)
"""Answers kept; there are some 430 questions."""
ASKED_AGAIN_EVERY = 3
SOURCE = "self_collected"
RECIPE = """\
joinery: 1
workspace: {url: workspace}
sources:
  - format: lerobot
    name: self_collected
    path: self_collected
    kind: self_collected
    protocol: unstructured
    card: {licence: CC0-1.0, redistribution: allowed, consent: nobody was recorded, personal_data: none}
    state:
      - arm: right
        position: {column: observation.state, start: 0, stop: 3}
        rotation: {column: observation.state, start: 3, stop: 7, encoding: quaternion_wxyz}
        opening: {column: observation.state, start: 7, stop: 8, closed: 0, open: 100}
clip: {short_side: 64}
caption:
  by: {method: vlm, model: tiny-vl, revision: brief-0, window_s: 10, canary_one_in: 0}
run:
  workers: 2
  vlm:
    patience_s: 1200
    longest_pause_s: 5
    start:
      weights: tiny
      restarts: 2
      arguments:
        - --dtype
        - float32
        - --max-model-len
        - "8192"
        - --max-num-seqs
        - "16"
        - --enforce-eager
        - --limit-mm-per-prompt
        - '{"image": 12, "video": 0}'
      environment: {VLLM_CPU_KVCACHE_SPACE: "1", HF_HUB_OFFLINE: "1"}
"""
R = TypeVar("R")


@dataclass
class Watcher:
    """Kills the API server of a run when so many answers are kept, and notes how much memory everything takes."""

    answers: Path
    weights: Path
    killed_after: list[int] = field(default_factory=list)
    peak_bytes: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self.over.wait(0.25):
            self.peak_bytes = max(self.peak_bytes, memory_of_descendants())
            kept = sum(1 for _ in self.answers.glob("*/*.json"))
            if len(self.killed_after) < len(KILLED_AFTER) and kept >= KILLED_AFTER[len(self.killed_after)]:
                (api_server,) = api_servers(self.weights)
                os.kill(api_server, signal.SIGKILL)
                self.killed_after.append(kept)


def api_servers(weights: Path) -> list[int]:
    """Processes that serve these weights; their guards, which have the command on their line as well, are not meant."""
    lines = {int(folder.name): words_of(folder) for folder in Path("/proc").glob("[0-9]*")}
    named = {pid: line for pid, line in lines.items() if str(weights) in line and MODULE in line}
    return [pid for pid, line in named.items() if not any(word.endswith("guard.py") for word in line)]


def words_of(folder: Path) -> list[str]:
    try:
        return (folder / "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    except OSError:
        return []


def memory_of_descendants() -> int:
    """Proportional set sizes of this process and all that stem from it, Ray's workers and vLLM's engine among them."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    mine = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= more
    return sum(proportional_bytes(pid) for pid in mine)


def proportional_bytes(pid: int) -> int:
    try:
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return 1024 * int(found[1]) if found else 0


@dataclass
class Done:
    """A run and what became of it."""

    loaded: LoadedRecipe
    result: RunResult

    def __post_init__(self) -> None:
        self.workspace = Workspace.open(self.loaded.recipe.workspace.url)
        recipe = self.loaded.recipe
        self.ledger = Ledger(self.workspace, recipe, RIVER, list_sources(self.workspace, recipe).version)
        self.ledger.refresh_all()
        self.calls = self.workspace.rows(ModelCall, f"run_id = '{self.result.run.run_id}'")

    @property
    def by(self) -> VlmCaption:
        by = self.loaded.recipe.caption.by
        assert isinstance(by, VlmCaption)
        return by

    def of(self, record: type[R], stage: str) -> dict[str, list[R]]:
        """By episode."""
        attempts = self.ledger.done_attempts(stage)
        found: dict[str, list[R]] = defaultdict(list)
        rows = self.workspace.read(record, sorted({attempt for _, attempt in attempts}))
        for item, attempt in attempts:
            found[item] += [row for row in rows[attempt] if _item_of(row) == item]
        return found


def _item_of(row: Any) -> str:
    return str(row.subject if isinstance(row, Finding) else row.episode_id)


@dataclass(frozen=True)
class Ran:
    """The run under test, with its windows and the questions that it must have asked."""

    done: Done
    watcher: Watcher
    windows: dict[str, Window]
    requests: dict[str, Request]
    """By key, made again from what is committed."""


@dataclass
class Remembering:
    """Answers from the workspace alone, and notes what it is asked."""

    blobs: Blobs
    asked: dict[str, Request] = field(default_factory=dict)

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer | Refusal]:
        self.asked |= {request.key: request for request in requests}
        yield from CachedAsker(Nobody(), self.blobs).ask(requests)


class Nobody:
    """What a repeated run must not need."""

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer | Refusal]:
        raise AssertionError(f"never asked before: {[request.subject for request in requests]}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe, its recordings and the model's weights."""
    python = CHECKOUT / ".venv-vllm" / "bin" / "python"
    if not python.exists():
        pytest.skip("no vLLM: `make vllm` installs it into .venv-vllm")
    folder = tmp_path_factory.mktemp("river")
    source = next(source for source in ROBOT_SOURCES if source.name == SOURCE)
    recordings = (source.recorded(source.trajectory((0,), i), (0,), i) for i in range(EPISODES))
    write_dataset(folder / SOURCE, source.dataset(), recordings)
    maker = Path(__file__).with_name("tiny_model.py")
    subprocess.run([str(python), str(maker), str(folder / "tiny"), "--brief"], check=True)
    return folder


def loaded(folder: Path, *overrides: str) -> LoadedRecipe:
    recipe = yaml.safe_load(RECIPE)
    recipe["run"]["vlm"]["start"]["weights"] = str(folder / "tiny")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return load_recipe(folder / "recipe.yaml", list(overrides))


@pytest.fixture(scope="module")
def ran(folder: Path) -> Ran:
    """The run, killed twice."""
    watcher = Watcher(folder / "workspace" / FOLDER, folder / "tiny")
    thread = threading.Thread(target=watcher.watch, daemon=True)
    thread.start()
    recipe = loaded(folder)
    try:
        result = run_recipe(recipe, Silent())
    finally:
        watcher.over.set()
        thread.join()
    done = Done(recipe, result)
    windows, remembering = {}, Remembering(done.workspace.blobs)
    actions, alignments = done.of(ActionTrack, "ingest"), done.of(Alignment, "align")
    strips, thumbnails = done.of(Filmstrip, "ingest"), done.of(Thumbnail, "ingest")
    episodes, trees = done.of(Episode, "ingest"), done.of(Event, "segment")
    for item, (episode,) in episodes.items():
        times = _times(actions[item], alignments[item])
        made = windows_of(trees[item], episode, times, longest_s=done.by.window_s)
        windows |= {window.window_id: window for window in made}
        asked_about(trees[item], Seen(episode, times, strips[item], thumbnails[item]), done.by, remembering)
    return Ran(done, watcher, windows, remembering.asked)


def _times(actions: list[ActionTrack], alignments: list[Alignment]) -> Ints | None:
    aligned = aligned_actions(actions[0], alignments[0])
    return None if aligned is None else aligned.times_ns


def accepted(ran: Ran) -> dict[str, list[Event]]:
    """What the model has worded, by the window its question was about."""
    subjects = {call.key: call.subject for call in ran.done.calls}
    found: dict[str, list[Event]] = defaultdict(list)
    for events in ran.done.of(Event, "caption").values():
        for event in events:
            if event.level is not Level.TASK and event.caption_by is not None and event.caption_by.proposer == "vlm":
                found[subjects[event.caption_by.request_hash]].append(event)
    return found


def rejected(ran: Ran) -> dict[tuple[str, int, int], Finding]:
    """Findings by episode and stretch."""
    findings = [finding for found in ran.done.of(Finding, "caption").values() for finding in found]
    assert {finding.check for finding in findings} == {"model_answer_unusable"}
    return {(finding.subject, finding.start_ns or 0, finding.end_ns or 0): finding for finding in findings}


def kept(ran: Ran, key: str) -> dict[str, Any]:
    """What the model wrote."""
    written: dict[str, Any] = json.loads(json.loads(ran.done.workspace.blobs.read(path_of(key)))["text"], strict=False)
    return written


def test_the_run_succeeds_although_its_server_was_killed_twice(ran: Ran) -> None:
    assert ran.done.result.succeeded, ran.done.result.run.message
    assert (ran.done.result.quarantined, ran.done.result.episodes) == (0, EPISODES)
    assert len(ran.watcher.killed_after) == len(KILLED_AFTER)
    again = Counter(call.attempts for call in ran.done.calls)
    assert again[1] < sum(again.values()), "no question was in flight when the server was killed"
    assert 0 not in again


def test_no_invalid_tree_is_committed(ran: Ran) -> None:
    report = verify_trees(ran.done.workspace, ran.done.ledger, ran.done.by)
    assert report.problems == ()
    assert report.n_trees == 2 * EPISODES


def test_every_question_is_in_the_ledger_once_under_its_own_window(ran: Ran) -> None:
    assert len(ran.windows) >= WINDOWS
    rows = Counter((call.key, call.subject, call.call, call.item) for call in ran.done.calls)
    due = {
        (key, request.subject, str(request.call), ran.windows[request.subject].episode_id)
        for key, request in ran.requests.items()
    }
    assert rows == Counter(due)
    assert {call.outcome for call in ran.done.calls} == {CallOutcome.ANSWERED}


def test_answers_came_out_of_order(ran: Ran) -> None:
    first = [call for call in ran.done.calls if call.call == Call.TREE and not ran.requests[call.key].attempt]
    assert {call.subject for call in first} == set(ran.windows)
    assert overtakings(ran) > 0


def overtakings(ran: Ran) -> int:
    """Neighbouring windows of one episode of which the later was answered first: they are asked about together."""
    waited: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for call in ran.done.calls:
        if call.call == Call.TREE and not ran.requests[call.key].attempt:
            waited[call.item].append((ran.windows[call.subject].start_ns, call.seconds))
    return sum(b < a for times in waited.values() for (_, a), (_, b) in pairwise(sorted(times)))


def test_every_window_is_accepted_or_told_in_a_finding(ran: Ran) -> None:
    told, worded = rejected(ran), set(accepted(ran))
    refused = {
        window.window_id
        for window in ran.windows.values()
        if (window.episode_id, window.start_ns, window.end_ns) in told
    }
    assert len(refused) == len(told)
    assert worded | refused == set(ran.windows)
    assert not worded & refused
    assert len(worded) >= WINDOWS // 10, "too few to show that answers are joined to their own windows"


def test_accepted_windows_have_the_words_of_their_own_answers(ran: Ran) -> None:
    """Nearly every answer has words that no other has, so one that was joined to another window would show."""
    for name, events in accepted(ran).items():
        window = ran.windows[name]
        assert {event.episode_id for event in events} == {window.episode_id}
        assert all(window.start_ns <= event.start.t_ns < event.end.t_ns <= window.end_ns for event in events)
        (key,) = {event.caption_by.request_hash for event in events if event.caption_by is not None}
        said = kept(ran, key)
        assert {row["end"] for row in said["rows"]} <= set(ends_in(ran.requests[key]))
        own = {sentence(part["text"]) for part in (*said["rows"], *said["subtasks"])}
        subtasks = [event for event in events if event.level is Level.SUBTASK]
        assert {event.caption for event in subtasks} & own, f"{name}: {subtasks[0].caption!r}, expected one of {own}"


def ends_in(request: Request) -> list[str]:
    """Candidates and frames that the question offers."""
    found: list[str] = json.loads(request.schema)["properties"]["rows"]["items"]["properties"]["end"]["enum"]
    return found


def test_another_server_asked_one_question_at_a_time_says_the_same(ran: Ran) -> None:
    recipe = ran.done.loaded.recipe
    assert recipe.run.vlm is not None
    assert recipe.run.vlm.start is not None
    wanted = Wanted(ran.done.by, recipe.run.vlm.start, Secret("sk-of-another"), 0)
    host = ServerHost(wanted, LOOPBACK, ran.done.workspace.blobs, "logs/again.log")
    try:
        server = host.wait_ready()
        assert not isinstance(server, Exception), server
        requests = [ran.requests[key] for key in sorted(ran.requests)][::ASKED_AGAIN_EVERY]
        with ServerAsker(ran.done.by, [server], recipe.run.vlm) as asker:
            found = [next(iter(asker.ask([request]))) for request in requests]
    finally:
        host.close()
    blobs = ran.done.workspace.blobs
    before = [json.loads(blobs.read(path_of(request.key)))["text"] for request in requests]
    other = [i for i, answer in enumerate(found) if isinstance(answer, Refusal) or answer.text != before[i]]
    print(f"asked again one at a time: {len(requests)}, of these the same to the letter: {len(requests) - len(other)}")
    assert not other


def test_captions_made_again_cost_no_call(ran: Ran, folder: Path) -> None:
    asked_at = time.monotonic()
    again = Done(*_made_again(folder))
    print(f"captions made again: {time.monotonic() - asked_at:.0f} s, {len(again.calls)} answers known, 0 calls")
    assert again.result.succeeded
    assert done(again.result)["caption"] == EPISODES
    assert {call.outcome for call in again.calls} == {CallOutcome.CACHED}
    assert Counter(call.key for call in again.calls) == Counter(call.key for call in ran.done.calls)
    assert again.of(Event, "caption") == ran.done.of(Event, "caption")


def _made_again(folder: Path) -> tuple[LoadedRecipe, RunResult]:
    """Another key of the captions' recipe, one that changes nothing they say."""
    recipe = loaded(folder, "caption.by.languages=[de]")
    return recipe, run_recipe(recipe, Silent())


def test_the_numbers(ran: Ran) -> None:
    """For `benchmarks/results`."""
    calls, run = ran.done.calls, ran.done.result.run
    seconds = {stage.stage: stage.seconds for stage in run.stages}
    words = Counter(json.dumps(kept(ran, call.key)) for call in calls if call.call == Call.TREE)
    print(
        f"\n{EPISODES} episodes, {len(ran.windows)} windows; the run {sum(seconds.values()):.0f} s, captions "
        f"{seconds['caption']:.0f} s; at most {ran.watcher.peak_bytes / 2**30:.1f} GiB in all processes"
    )
    print(
        f"questions {len(calls)}, prompt tokens {sum(call.prompt_tokens for call in calls)}, "
        f"completion tokens {sum(call.completion_tokens for call in calls)}"
    )
    print(
        f"server killed after {ran.watcher.killed_after} answers; questions by how often they were sent: "
        f"{dict(sorted(Counter(call.attempts for call in calls).items()))}; overtakings {overtakings(ran)}"
    )
    print(
        f"windows accepted {len(accepted(ran))}, told in a finding {len(rejected(ran))}; "
        f"different answers to the first call {len(words)} of {words.total()}"
    )
