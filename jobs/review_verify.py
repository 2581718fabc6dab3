"""``joinery review verify``: every log is whole, and replaying it gives what people see."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from jobs.review_folder import existing_reviews


@dataclass(frozen=True)
class LogsReport:
    """What was looked at and what is wrong."""

    n_episodes: int
    n_entries: int
    problems: tuple[str, ...]


def verify_logs(folder: Path) -> LogsReport:
    """Check the logs of every episode under review. Raises StoreError when there are none."""
    n_entries = 0
    problems: list[str] = []
    with closing(existing_reviews(folder)) as store:
        episodes = store.episodes()
        for episode_id in episodes:
            n_entries += len(store.log(episode_id))
            problems += store.verify(episode_id)
    return LogsReport(len(episodes), n_entries, tuple(problems))
