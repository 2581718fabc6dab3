"""The table of formats: each offers what it must, and none is imported before a source asks for it."""

import subprocess
import sys

import pytest

from pipeline.sources.formats import MODULES, format_named
from pipeline.sources.views import video_pictures

LIBRARIES = ("h5py", "numcodecs", "rosbags", "scipy", "PIL")
"""What only some formats need; together half a second of every process."""


def test_what_decodes_any_source_brings_no_formats_libraries() -> None:
    code = f"import sys, pipeline.sandbox.nursery; print([name for name in {LIBRARIES} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_format_offers_what_sources_are_read_with(name: str) -> None:
    found = format_named(name)
    assert all(callable(each) for each in (found.discover, found.read, found.pictures))


def test_a_format_without_pictures_of_its_own_is_decoded_as_video_files() -> None:
    assert format_named("egodex").pictures is video_pictures
    assert format_named("rlds").pictures is not video_pictures
