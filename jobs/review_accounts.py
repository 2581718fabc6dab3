"""``joinery review users``: who may log in. Works beside a running server, which asks the file each time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from annotators.review.accounts import Account, Accounts
from annotators.review.database import Database
from annotators.review.folder import ReviewFolder
from annotators.review.role import Role


def add(folder: Path, name: str, role: Role, password: str) -> None:
    """Make an account, and the review file where there is none. Raises JoineryError for what is no account."""
    with _accounts(folder) as accounts:
        accounts.add(name, role, password, time.time_ns())


def remove(folder: Path, name: str) -> None:
    """Close an account; what the person said stays, under their name."""
    with _accounts(folder) as accounts:
        accounts.remove(name)


def listed(folder: Path) -> list[Account]:
    """All accounts, by name."""
    with _accounts(folder) as accounts:
        return accounts.every()


@contextmanager
def _accounts(folder: Path) -> Iterator[Accounts]:
    folder.mkdir(parents=True, exist_ok=True)
    with closing(Database(ReviewFolder(folder).database)) as database:
        yield Accounts(database)
