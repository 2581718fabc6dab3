"""``joinery review agreement``: how well raters agree, and how often the machine is wrong (docs/review.md).

Only what somebody has finished counts: whoever stops half-way has looked at the doubtful places first. What is held in
memory are the shared episodes, about one in a hundred.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotators.review.agreement import agreement, errors, moved_frames
from annotators.review.document import LEVELS
from jobs.review_finished import Finished
from jobs.review_folder import existing_reviews
from pipeline.ledger import Ledger
from pipeline.store import Workspace

PATH = "reviews/agreement.json"
FORMAT = 1


@dataclass(frozen=True)
class AgreementReport:
    """What is written and printed."""

    at_rev: int
    shared: int
    """Episodes that two raters or more have finished."""
    audited: int
    by_level: Mapping[str, Any]

    def dumped(self) -> dict[str, Any]:
        return {"joinery_agreement": FORMAT, **vars(self)}


def agreement_report(workspace: Workspace, ledger: Ledger, folder: Path) -> AgreementReport:
    """Compute it, and leave it in the workspace as ``reviews/agreement.json``. Raises StoreError without reviews."""
    with closing(existing_reviews(folder)) as store:
        reading = Finished(store)
        rated = list(reading.rated(workspace, ledger))
        audited = list(reading.audited())
        at_rev = store.n_entries()
    groups = {
        "all": rated,
        "blind": [one for one in rated if one.blind],
        "shown": [one for one in rated if not one.blind],
    }
    moved = {str(delta): n for delta, n in sorted(moved_frames(audited).items())}
    levels = {
        str(level): {
            "raters": {name: agreement(group, level).dumped() for name, group in groups.items()},
            "machine": errors(audited, level).dumped(),
        }
        for level in LEVELS
    }
    report = AgreementReport(at_rev, len(rated), len(audited), {"levels": levels, "moved_frames": moved})
    written = json.dumps(report.dumped(), indent=1, sort_keys=True) + "\n"
    workspace.blobs.put_bytes(PATH, written.encode())
    return report
