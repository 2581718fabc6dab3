"""The workspace's storage: blobs, commits, commits at the same time, its clock, and the format of what is there."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from jobs.doctor.check import Check, broken, doubtful, well
from pipeline.blobs import Blobs, is_local
from pipeline.errors import StoreError
from pipeline.store import Workspace
from pipeline.upkeep.files_there import NS_PER_S, clock_of_store, files_there
from pipeline.upkeep.garbage import TRIED
from schemas.run import FileDigest

WRITERS, COMMITS = 2, 4
LATE_S = 5.0
_ADVICE = "see that this user may list, read, write and delete there; workspace.storage has endpoint and region"


def storage(url: str, options: Mapping[str, str]) -> Iterator[Check]:
    """Try everything a run does with its storage, in a folder of its own that is removed again."""
    made_here = is_local(url) and not Blobs(url).local("").exists()
    there = Blobs(f"{url.rstrip('/')}/{TRIED}/{uuid.uuid4().hex}", dict(options))
    try:
        yield _blobs(there)
        yield _commits(Workspace(there.url, dict(options)))
        yield _clock(there)
    finally:
        Blobs(url, dict(options)).remove_folder(TRIED)
        if made_here:
            with suppress(OSError):
                Blobs(url).local("").rmdir()
    if not made_here:
        yield _format(url, options)


def _blobs(blobs: Blobs) -> Check:
    """Write, read, list, replace, link, remove."""
    wrong = []
    blobs.put_bytes("a/one", b"first")
    blobs.put_bytes("a/one", b"second")
    blobs.link("a/one", "a/two")
    if blobs.read("a/two") != b"second":
        wrong.append("a file that was replaced reads as it was before")
    if blobs.list("a") != ["a/one", "a/two"]:
        wrong.append("a listing lacks what was just written")
    blobs.remove("a/one")
    if blobs.exists("a/one") or blobs.list("a") != ["a/two"]:
        wrong.append("a file that was removed is still there")
    if wrong:
        return broken("storage", "; ".join(wrong), "what is written is seen at once", "use another storage")
    return well("storage", f"{blobs.url.rpartition(f'/{TRIED}/')[0]}: written, read, replaced, linked, removed")


def _commits(workspace: Workspace) -> Check:
    """Several commit to one table at once, and nobody's rows are lost: what conditional puts are for."""
    workspace.make_table(FileDigest)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(partial(_commit, workspace), range(WRITERS)))
    found = {row.url for row in workspace.rows(FileDigest)}
    n, wanted = len(found), WRITERS * COMMITS
    if n < wanted:
        advice = "use a store that refuses to overwrite on If-None-Match: two runs at once would lose results on this"
        return broken("commits", f"{wanted - n} of {wanted} rows were lost", "none lost", advice)
    return well("commits", f"{wanted} by {WRITERS} writers at once, none lost")


def _commit(workspace: Workspace, writer: int) -> None:
    for nth in range(COMMITS):
        workspace.append(FileDigest, [FileDigest(f"{writer}/{nth}", 0, 0, "")])


def _clock(blobs: Blobs) -> Check:
    late = time.time() - clock_of_store(blobs) / NS_PER_S
    if abs(late) <= LATE_S:
        return well("clock", "agrees with the storage's")
    said = f"{abs(late):.0f} s {'ahead of' if late > 0 else 'behind'} the storage's"
    advice = "start a time service (chrony, systemd-timesyncd); object stores refuse requests 15 min off"
    return doubtful("clock", said, f"no more than {LATE_S:.0f} s", advice)


def _format(url: str, options: Mapping[str, str]) -> Check:
    try:
        workspace = Workspace.existing(url, options)
    except StoreError as error:
        if "no Joinery workspace" in str(error):
            return well("workspace", f"none yet at {url}")
        return broken("workspace", str(error), "tables of this version of Joinery", "joinery upgrade RECIPE --dry-run")
    n = len(files_there(workspace.blobs, "tables"))
    return well("workspace", f"{len(workspace.tables())} tables in {n:,} files, all of this version's columns")
