"""Bringing operations of the mirror back into a review file that does not have them: after a snapshot was restored."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from annotators.review.log import load_document
from annotators.review.store import ReviewStore
from pipeline.errors import StoreError


def replay_into(store: ReviewStore, lines: Iterable[dict[str, Any]]) -> int:
    """Take in what is missing, in order; how many operations that were.

    Raises StoreError where the mirror and the review file tell different histories.
    """
    added = 0
    with store.database.transaction():
        for line in lines:
            if line["table"] == "episode":
                store.add(load_document(json.loads(line["imported"])), "")
            else:
                added += _operation(store, line)
    return added


def _operation(store: ReviewStore, line: dict[str, Any]) -> bool:
    known = store.database.row("SELECT sha256 FROM op WHERE op_id = ?", line["op_id"])
    if known is not None:
        if known["sha256"] != line["sha256"]:
            raise StoreError(f"operation {line['op_id']}: the mirror and the review file say different things of it")
        return False
    store.append({name: value for name, value in line.items() if name not in ("table", "at", "sha256")})
    return True
