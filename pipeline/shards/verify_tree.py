"""What the samples of a shard set say about event trees: strict JSON, whole records, chains that agree, no overlap.

A shard set holds the events of one level with the names of their ancestors, not whole trees; those `joinery verify`
checks in the workspace. Every sentence names shard, sample, what was found and what was expected.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.loader.sample import CALIB_MEMBER, EVENT_MEMBER
from schemas.arrow import from_row
from schemas.episode import ActionKind
from schemas.event import Event, Level, make_event_id
from schemas.tree import event_problems

Chain = tuple[str, str, str, str]
"""Level, parent, caption and verb of an event, as a sample tells them."""


def json_problems(where: str, parts: Sequence[tuple[str, bytes]]) -> Iterator[str]:
    """JSON members that are not strict JSON: NaN and infinities, keys given twice, bytes that are no UTF-8."""
    for member, data in parts:
        name = member.partition(".")[2]
        if name in (EVENT_MEMBER, CALIB_MEMBER):
            try:
                json.loads(data.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_each_once)
            except ValueError as error:
                yield f"{where}: {name} is not strict JSON: {error}"


def _no_constant(text: str) -> float:
    raise ValueError(f"found {text}, expected a number or null")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(key for key in keys if keys.count(key) > 1)!r} stands twice in one object")
    return found


class TreeCheck:
    """Holds each sample to itself and to the samples before; memory grows with distinct events and ancestors."""

    def __init__(self) -> None:
        self._said: dict[str, Chain] = {}

    @property
    def said(self) -> Mapping[str, Chain]:
        """What samples have told of every event and ancestor so far."""
        return self._said

    def problems(self, where: str, record: Mapping[str, Any]) -> Iterator[str]:
        """What is wrong with one ``event.json``."""
        try:
            event = from_row(Event, record["event"])
            kind = ActionKind(record["action_kind"])
            captions, verbs, above = dict(record["captions"]), dict(record["verbs"]), list(record["ancestors"])
        except (KeyError, TypeError, ValueError) as error:
            yield f"{where}: its event is not one ({type(error).__name__}: {error})"
            return
        yield from (f"{where}: {problem}" for problem in event_problems(event, kind))
        expected = make_event_id(event.episode_id, event.level, event.span, event.revision)
        if event.event_id != expected:
            yield f"{where}: its id is {event.event_id}, its level and span make it {expected}"
        levels = [str(level) for level in Level][: event.level.depth + 1]
        if list(captions) != levels or list(verbs) != levels or len(above) != event.level.depth:
            found = f"captions of {list(captions)}, verbs of {list(verbs)}, {len(above)} ancestors"
            yield f"{where}: {found}, expected {levels} and {event.level.depth}"
            return
        if event.parent_id != (above[-1] if above else ""):
            yield f"{where}: its parent is {event.parent_id!r}, its last ancestor {above[-1] if above else ''!r}"
        if (captions[levels[-1]], verbs[levels[-1]]) != (event.caption, str(event.verb)):
            yield f"{where}: its caption or verb is not the one of its own level"
        yield from self._chain_problems(where, [*above, event.event_id], levels, captions, verbs)

    def _chain_problems(
        self, where: str, ids: Sequence[str], levels: Sequence[str], captions: dict[str, str], verbs: dict[str, str]
    ) -> Iterator[str]:
        """An event is the same in every sample that names it."""
        for parent, name, level in zip(("", *ids), ids, levels, strict=False):
            chain = level, parent, captions[level], verbs[level]
            before = self._said.setdefault(name, chain)
            if before != chain:
                yield f"{where}: {level} {name} is {chain[1:]} here and {before[1:]} in a sample before"


def overlap_problems(table: pa.Table) -> Iterator[str]:
    """Events of one episode, all of one level, that claim the same moment. Needs the manifest's spans and ids."""
    columns = {name: table.column(name) for name in ("shard", "key", "event_id", "episode_id")}
    starts, ends = table.column("start_ns").to_numpy(), table.column("end_ns").to_numpy()
    episodes = columns["episode_id"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    events = columns["event_id"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    _, first = np.unique(events, return_index=True)
    order = first[np.lexsort((ends[first], starts[first], episodes[first]))]
    same = episodes[order[1:]] == episodes[order[:-1]]
    latest = -1
    reach = np.iinfo(np.int64).min
    for i, row in enumerate(order.tolist()):
        if i == 0 or not same[i - 1]:
            latest, reach = row, int(ends[row])
            continue
        if starts[row] < reach:
            one, other = (f"{columns['shard'][r]}.tar, sample {columns['key'][r]}" for r in (row, latest))
            span = f"[{starts[row]}, {ends[row]}) ns"
            yield f"{one}: {columns['event_id'][row]} {span} overlaps {columns['event_id'][latest]} of {other}"
        if ends[row] > reach:
            latest, reach = row, int(ends[row])
