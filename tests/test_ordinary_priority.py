"""Films for tests leave the process as it was: what AV1's encoder does to it as root is undone."""

import os
import sys

import pytest

from tests.annotators.review.app import barcode_films
from tests.ordinary_priority import ordinary_priority
from tests.pipeline import odd_films

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="scheduling policies are Linux's")


def test_making_av1_films_leaves_scheduling_alone() -> None:
    before = os.sched_getscheduler(0)
    odd_films.encoded("libsvtav1", "mp4")
    assert os.sched_getscheduler(0) == before
    barcode_films.encoded("libsvtav1", pts=range(4), options={"preset": "12"})
    assert os.sched_getscheduler(0) == before


def test_a_policy_set_inside_is_undone() -> None:
    before = os.sched_getscheduler(0)
    with ordinary_priority():
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    assert os.sched_getscheduler(0) == before
