"""How drift is printed."""

from rich.console import Console

from jobs.clusters import ClusterState
from jobs.show_clusters import clusters
from schemas.cluster import FitCause, Space


def shown(*states: ClusterState) -> str:
    out = Console(record=True, width=200)
    with out.capture() as captured:
        clusters(out, states)
    return captured.get()


def test_drift_is_a_share_of_the_new_events() -> None:
    state = ClusterState(Space.ACTION, "joinery-poses-v2:32x6", 16, 2, FitCause.DRIFT, 1348, 50, 4, refitted=True)
    said = shown(state)
    assert all(word in said for word in ("action", "joinery-poses-v2:32x6", "1348", "50", "4 (8.0%)", "drift", "yes"))


def test_without_new_events_there_is_no_share_and_without_clusters_nothing() -> None:
    fresh = ClusterState(Space.ACTION, "m", 16, 1, FitCause.FIRST, 9, 0, 0, refitted=False)
    assert fresh.drift == 0
    assert "%" not in shown(fresh)
    assert shown() == ""
