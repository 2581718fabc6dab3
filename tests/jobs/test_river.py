"""The order of the stages, and what must hold between them."""

import re
from pathlib import Path

import pytest

from jobs.river import RIVER, stage_named
from schemas.episode import ActionTrack, Alignment

NAMES = [stage.name for stage in RIVER]


def test_clocks_are_measured_voted_on_and_judged_before_anything_else_happens():
    assert NAMES[:5] == ["ingest", "lag", "vote", "align", "calibrate"]


def test_whoever_reads_actions_after_align_reads_them_through_the_alignment():
    """So continuous fields are resampled only after the offset is gone (wall_wm.md §2.2)."""
    for stage in RIVER[NAMES.index("align") + 1 :]:
        read = {read.record for read in stage.reads}
        assert Alignment in read or ActionTrack not in read, stage.name


def test_an_unknown_stage_is_named_with_those_there_are():
    assert stage_named("vote") is RIVER[2]
    with pytest.raises(KeyError, match=r"no stage 'votes'; there are \['ingest', 'lag'"):
        stage_named("votes")


def test_the_page_on_architecture_has_the_stages_in_their_order() -> None:
    page = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert " ─ ".join(["source files", *NAMES]) in page
    assert [name for name in re.findall(r"^\| `(\w+)` \| (?:an|a|the) ", page, re.MULTILINE) if name in NAMES] == NAMES
