"""The chain of what a stage that keeps has committed: what is found again, and what comes after what."""

from pipeline.history import History, chain_end, history_of
from schemas.identity import ANEW, continued_key
from schemas.run import WorkDone


def row(key: str, continues: str = "", attempt: str = "") -> WorkDone:
    """The committed result for the inputs ``key``."""
    name = continued_key(key, continues)
    return WorkDone(name, "cluster", "corpus", attempt or f"try-{name[:6]}", "", "run", 0.0, continues)


FIRST = row("a")
SECOND = row("b", FIRST.work_key)
THIRD = row("c", SECOND.work_key)


def test_the_first_result_goes_on_from_nothing() -> None:
    assert history_of([], "a", anew=False) == History(FIRST.work_key, "", "")


def test_new_inputs_go_on_from_the_end_of_the_chain_whatever_order_the_rows_have() -> None:
    expected = History(continued_key("d", THIRD.work_key), THIRD.work_key, THIRD.attempt)
    assert history_of([FIRST, SECOND, THIRD], "d", anew=False) == expected
    assert history_of([THIRD, FIRST, SECOND], "d", anew=False) == expected
    assert chain_end([SECOND, THIRD, FIRST]) == THIRD.attempt
    assert chain_end([]) == ""


def test_inputs_that_come_back_find_their_result_and_not_the_end() -> None:
    assert history_of([FIRST, SECOND, THIRD], "b", anew=False) == History(
        SECOND.work_key, FIRST.work_key, FIRST.attempt
    )


def test_a_run_killed_before_its_commit_finds_the_same_key_again() -> None:
    assert history_of([FIRST, SECOND], "c", anew=False) == history_of([SECOND, FIRST], "c", anew=False)
    assert history_of([FIRST, SECOND, THIRD], "c", anew=False).key == history_of([FIRST, SECOND], "c", anew=False).key


def test_deciding_again_is_done_once_and_counts_for_those_who_did_not_ask() -> None:
    asked = history_of([FIRST], "a", anew=True)
    assert (asked.continues, asked.previous) == (ANEW + FIRST.work_key, FIRST.attempt)
    again = row("a", asked.continues)
    assert again.work_key == asked.key
    assert history_of([FIRST, again], "a", anew=True).key == asked.key
    assert history_of([FIRST, again], "a", anew=False).key == asked.key
    assert history_of([FIRST, again], "b", anew=False).previous == again.attempt


def test_the_first_result_may_be_one_that_was_to_be_decided_again() -> None:
    asked = history_of([], "a", anew=True)
    assert (asked.continues, asked.previous) == (ANEW, "")
    assert history_of([row("a", ANEW)], "a", anew=False).key == asked.key


def test_of_two_runs_that_raced_the_smaller_attempt_counts() -> None:
    rows = [row("a", attempt="x"), row("a", attempt="b")]
    assert history_of(rows, "b", anew=False).previous == chain_end(rows) == "b"
