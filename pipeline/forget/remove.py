"""Taking out what `gather` found, in an order that a kill cannot spoil.

``work_done`` goes first, as it comes last when results are committed: from then on nobody sees the results whose rows
are about to go. Every step can be done again; old versions of the tables, which keep what was deleted, go last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pipeline.cards.taken_out import Gone
from pipeline.forget.gather import CHUNK, gone_of
from pipeline.forget.mentions import mentions, text_columns
from pipeline.forget.search import Search
from pipeline.revision import publish, reviews_in, revision_of
from pipeline.shards.latest import SHARDS
from pipeline.shards.without import STAGING, is_replaced, names_any, sets_there, unfinished, without
from pipeline.store import Workspace, one_of
from pipeline.tables import LEDGERS, TABLES
from schemas.finding import Failure, Finding
from schemas.model_call import ModelCall
from schemas.run import FileDigest, Run, WorkDone
from schemas.source import EpisodeRef
from schemas.takedown import Pending, Terms

ANSWERS = "answers"
REMOVED = "(forgotten)"

Step = tuple[str, Callable[[], None]]


def steps(workspace: Workspace, pending: Sequence[Pending], terms: Terms) -> Iterator[Step]:
    """What is to be done, in order; each step may be repeated."""
    search = Search(terms)
    episodes = sorted(entry.takedown.episode_id for entry in pending)
    gone = gone_of(episodes, terms)
    attempts = sorted({attempt for entry in pending for attempt in entry.attempts})
    yield "work_done", lambda: _delete(workspace, LEDGERS[WorkDone], attempts, episodes, "item")
    for name in workspace.tables():
        if name not in LEDGERS.values():
            yield name, lambda name=name: _data(workspace, name, attempts, episodes)  # type: ignore[misc]
    yield "findings of listings", lambda: _findings(workspace, search)
    yield "quarantine", lambda: _failures(workspace, search)
    yield "listing", lambda: workspace.delete(LEDGERS[EpisodeRef], one_of("episode_id", episodes))
    yield "file digests", lambda: _file_digests(workspace, search, terms)
    yield "questions to models", lambda: _calls(workspace, episodes, search)
    yield "runs", lambda: _runs(workspace, search, terms)
    yield "what people said", lambda: _reviews(workspace, episodes)
    for entry in pending:
        yield "answers", lambda entry=entry: _answers(workspace, entry)  # type: ignore[misc]
    for name in sets_there(workspace.blobs):
        if is_replaced(workspace.blobs, name) or names_any(workspace.blobs, name, gone):
            yield f"shard set {name}", lambda name=name: _less(workspace, name, gone)  # type: ignore[misc]
    for entry in pending:
        yield "tars", lambda entry=entry: _blobs(workspace, entry.tars)  # type: ignore[misc]
    yield "left over", lambda: _left_over(workspace, search)
    for name in workspace.tables():
        yield f"old versions of {name}", lambda name=name: workspace.shed(name)  # type: ignore[misc]


def _delete(workspace: Workspace, name: str, attempts: Sequence[str], episodes: Sequence[str], column: str) -> None:
    for i in range(0, len(attempts), CHUNK):
        workspace.delete(name, one_of("attempt", attempts[i : i + CHUNK]))
    workspace.delete(name, one_of(column, episodes))


def _data(workspace: Workspace, name: str, attempts: Sequence[str], episodes: Sequence[str]) -> None:
    names = workspace.columns(name).names
    if "attempt" in names:
        column = "episode_id" if "episode_id" in names else "attempt"
        _delete(workspace, name, attempts, episodes, column)


def _findings(workspace: Workspace, search: Search) -> None:
    """What listings said of it: those results are about whole sources, so only its rows go."""
    messages = {row["message"] for row in mentions(workspace, TABLES[Finding], search, ["message"])}
    if messages:
        workspace.delete(TABLES[Finding], one_of("message", sorted(messages)))


def _failures(workspace: Workspace, search: Search) -> None:
    keys = {row["work_key"] for row in mentions(workspace, LEDGERS[Failure], search, ["work_key"])}
    if keys:
        workspace.delete(LEDGERS[Failure], one_of("work_key", sorted(keys)))


def _file_digests(workspace: Workspace, search: Search, terms: Terms) -> None:
    rows = mentions(workspace, LEDGERS[FileDigest], search, ["sha256"])
    shared = {row["sha256"] for row in rows} - set(terms.ids)
    workspace.delete(LEDGERS[FileDigest], one_of("sha256", sorted({*terms.ids, *shared})))


def _calls(workspace: Workspace, episodes: Sequence[str], search: Search) -> None:
    """What was spent stays counted; on whom goes."""
    nobody = {"item": f"'{REMOVED}'", "subject": "''", "key": "''"}
    workspace.update(LEDGERS[ModelCall], nobody, one_of("item", episodes))
    subjects = {row["subject"] for row in mentions(workspace, LEDGERS[ModelCall], search, ["subject"])}
    if subjects:
        workspace.update(LEDGERS[ModelCall], nobody, one_of("subject", sorted(subjects)))


def _runs(workspace: Workspace, search: Search, terms: Terms) -> None:
    """Messages and recipes of runs that name it lose the name."""
    name = LEDGERS[Run]
    runs = {row["run_id"] for row in mentions(workspace, name, search, ["run_id"])}
    if not runs:
        return
    schema = workspace.columns(name)
    plain = [column for column in text_columns(schema) if column in ("message", "recipe_yaml")]
    for word in [*terms.texts, *terms.ids]:
        quoted = word.replace("'", "''")
        values = {column: f"replace({column}, '{quoted}', '{REMOVED}')" for column in plain}
        like = " OR ".join(f"strpos({column}, '{quoted}') > 0" for column in plain)
        workspace.update(name, values, f"{one_of('run_id', sorted(runs))} AND ({like})")


def _answers(workspace: Workspace, entry: Pending) -> None:
    for key in entry.answers:
        for path in workspace.blobs.list(f"{ANSWERS}/{key[:2]}", unfinished=True):
            if path.rpartition("/")[2].startswith(key):
                workspace.blobs.remove(path)


def _reviews(workspace: Workspace, episodes: Sequence[str]) -> None:
    revision = revision_of(workspace.blobs)
    if revision is not None:
        others = (review for review in reviews_in(workspace.blobs) if review.episode_id not in episodes)
        publish(workspace.blobs, others, revision.at_rev)


def _less(workspace: Workspace, name: str, gone: Gone) -> None:
    without(workspace.blobs, name, gone)


def _blobs(workspace: Workspace, paths: Sequence[str]) -> None:
    for path in paths:
        workspace.blobs.remove(path)


def _left_over(workspace: Workspace, search: Search) -> None:
    """What runs left that were killed: lists of inputs, half blobs, half sets; and logs of servers that name it."""
    workspace.blobs.remove_folder("inputs")
    workspace.blobs.remove_folder(STAGING)
    for name in unfinished(workspace.blobs):
        workspace.blobs.remove_folder(f"{SHARDS}/{name}")
    for folder in ("shards", "tars", "manifests", ANSWERS, "logs"):
        for path in workspace.blobs.list(folder, unfinished=True):
            named = folder == "logs" and any(True for _ in search.in_bytes(workspace.blobs.read(path)))
            if path.endswith(".tmp") or named:
                workspace.blobs.remove(path)
