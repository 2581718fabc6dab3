"""Spoilt files of every format: read, or refused with a reason; no crash, no hang, no escape, nothing else lost.

`make test` tries about 25 per format, `make test-slow` more than 3,000 in all; ``python -m benchmarks.fuzz`` writes
down what came of as many as it is told to.
"""

from pathlib import Path

import pytest

from pipeline.sources.formats import MODULES
from tests.pipeline.sources.fuzzing import Tally, fuzz
from tests.pipeline.sources.specimens import SPECIMENS, format_of

_FEW, _MANY = 25, 150
_MANY_FROM = 1000
"""The slow test's cases are others than the quick one's."""


def share(name: str, per_format: int) -> int:
    """How many of a format's cases fall to one of its specimens, never so few that most changes are left untried."""
    return max(8, per_format // sum(format_of(other) == format_of(name) for other in SPECIMENS))


def check(tally: Tally) -> None:
    assert tally.bad == []
    assert tally.refused > 0, "the changes reach the reader"
    assert tally.read > 0, "not every change is noticed, or nothing is read at all"


def test_every_format_has_a_specimen() -> None:
    assert {format_of(name) for name in SPECIMENS} == set(MODULES)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sorted(SPECIMENS))
def test_a_spoilt_file_is_read_or_refused(
    name: str, tmp_path: Path, real: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUZZ_CANARY", "")
    check(fuzz(name, range(share(name, _FEW)), tmp_path, real))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", sorted(SPECIMENS))
def test_many_spoilt_files_are_read_or_refused(
    name: str, tmp_path: Path, real: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUZZ_CANARY", "")
    check(fuzz(name, range(_MANY_FROM, _MANY_FROM + max(100, share(name, _MANY))), tmp_path, real))
