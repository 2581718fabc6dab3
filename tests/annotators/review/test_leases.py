"""Nobody is sent where somebody is, nothing stays locked, and each person sees an episode once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotators.review.agenda import AgendaItem, Stratum
from annotators.review.database import Database
from annotators.review.leases import LEASE_NS, Leases

ALONE = [AgendaItem(f"ep-{number}", Stratum.RISK, 1, blind=False, risk=1.0 - number / 10) for number in range(3)]
SHARED = [AgendaItem("ep-shared", Stratum.AUDIT, 2, blind=True, risk=0.0), *ALONE]


@pytest.fixture
def leases(tmp_path: Path) -> Iterator[Leases]:
    database = Database(tmp_path / "review.sqlite")
    yield Leases(database)
    database.close()


def taken(leases: Leases, agenda: list[AgendaItem], actor: str, now_ns: int = 0) -> str | None:
    lease = leases.take(agenda, actor, now_ns)
    return None if lease is None else lease.item.episode_id


def test_two_people_get_different_episodes_and_each_their_own_again(leases: Leases) -> None:
    assert (taken(leases, ALONE, "ann"), taken(leases, ALONE, "bob")) == ("ep-0", "ep-1")
    assert (taken(leases, ALONE, "ann"), taken(leases, ALONE, "bob")) == ("ep-0", "ep-1")
    assert leases.at_work("ep-0", 1) == ["ann"]


def test_what_is_finished_is_not_offered_again(leases: Leases) -> None:
    for expected in ("ep-0", "ep-1", "ep-2"):
        assert taken(leases, ALONE, "ann") == expected
        leases.finish(expected, "ann")
    assert taken(leases, ALONE, "ann") is None
    assert taken(leases, ALONE, "bob") is None


def test_a_lease_that_is_not_renewed_runs_out_and_can_be_taken_back(leases: Leases) -> None:
    assert taken(leases, ALONE, "ann", 0) == "ep-0"
    assert taken(leases, ALONE, "bob", LEASE_NS - 1) == "ep-1"
    assert taken(leases, ALONE, "cyd", LEASE_NS + 1) == "ep-0"
    leases.renew("ep-0", "ann", LEASE_NS + 2)
    assert leases.at_work("ep-0", LEASE_NS + 3) == ["ann", "cyd"]


def test_a_heartbeat_keeps_it(leases: Leases) -> None:
    taken(leases, ALONE, "ann", 0)
    leases.renew("ep-0", "ann", LEASE_NS - 1)
    assert taken(leases, ALONE, "bob", LEASE_NS + 1) == "ep-1"


def test_a_shared_episode_goes_to_as_many_different_people_as_it_wants(leases: Leases) -> None:
    assert [taken(leases, SHARED, who) for who in ("ann", "bob", "cyd")] == ["ep-shared", "ep-shared", "ep-0"]
    leases.finish("ep-shared", "ann")
    assert taken(leases, SHARED, "ann") == "ep-1"


def test_finishing_what_one_never_had_is_an_error(leases: Leases) -> None:
    with pytest.raises(KeyError, match="bob has no lease"):
        leases.finish("ep-0", "bob")
