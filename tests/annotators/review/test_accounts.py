"""Only whoever knows the password gets in, as long as the session lasts; the file gives nothing away."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from annotators.review.accounts import SESSION_NS, Accounts, LoginLimit
from annotators.review.database import Database
from annotators.review.role import Role
from pipeline.errors import JoineryError

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "review.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def accounts(database: Database) -> Accounts:
    made = Accounts(database, CHEAP)
    made.add("ann", Role.REVIEWER, PASSWORD, 1)
    return made


def test_a_session_is_for_the_right_name_and_password_and_ends(accounts: Accounts) -> None:
    assert accounts.log_in("ann", "wrong horse", 0) is None
    assert accounts.log_in("bob", PASSWORD, 0) is None
    value = accounts.log_in("ann", PASSWORD, 0)
    assert value is not None
    session = accounts.session(value, 1)
    assert session is not None
    assert (session.name, session.role) == ("ann", Role.REVIEWER)
    assert accounts.session(value, SESSION_NS) is None
    assert accounts.session("guessed", 1) is None


def test_a_session_goes_on_while_it_is_used(accounts: Accounts) -> None:
    value = accounts.log_in("ann", PASSWORD, 0)
    assert value is not None
    for hour in range(0, 100, 7):
        assert accounts.session(value, hour * 3600 * 10**9) is not None
    accounts.log_out(value)
    assert accounts.session(value, 100 * 3600 * 10**9) is None


def test_a_removed_account_is_out_at_once(accounts: Accounts) -> None:
    value = accounts.log_in("ann", PASSWORD, 0)
    assert value is not None
    accounts.remove("ann")
    assert accounts.session(value, 1) is None
    assert accounts.log_in("ann", PASSWORD, 1) is None
    with pytest.raises(JoineryError, match="no such account"):
        accounts.remove("ann")


def test_the_file_holds_neither_passwords_nor_cookies(accounts: Accounts, database: Database) -> None:
    value = accounts.log_in("ann", PASSWORD, 0)
    assert value is not None
    held = repr([tuple(row) for table in ("account", "session") for row in database.rows(f"SELECT * FROM {table}")])
    assert "$argon2id$" in held
    assert PASSWORD not in held
    assert value not in held


@pytest.mark.parametrize(
    ("name", "password", "said"),
    [
        ("ann", PASSWORD, "already"),
        ("a@b", PASSWORD, "letters"),
        ("", PASSWORD, "letters"),
        ("bob", "short", "at least"),
    ],
)
def test_what_makes_no_account_is_told(accounts: Accounts, name: str, password: str, said: str) -> None:
    with pytest.raises(JoineryError, match=said):
        accounts.add(name, Role.ANNOTATOR, password, 0)
    assert [account.name for account in accounts.every()] == ["ann"]


def test_roles_cover_those_before_them() -> None:
    assert [role for role in Role if Role.REVIEWER.covers(role)] == [Role.ANNOTATOR, Role.REVIEWER]


def test_five_wrong_tries_have_to_wait_and_a_name_is_not_locked_for_good() -> None:
    limit, minute = LoginLimit(), 60 * 10**9
    for at in range(5):
        assert limit.wait_ns(at * minute, "name:ann") == 0
        limit.failed(at * minute, "name:ann", "address:1")
    assert limit.wait_ns(4 * minute, "name:ann") == minute
    assert limit.wait_ns(4 * minute, "name:bob", "address:1") == minute
    assert limit.wait_ns(4 * minute, "name:bob", "address:2") == 0
    assert limit.wait_ns(5 * minute, "name:ann") == 0
