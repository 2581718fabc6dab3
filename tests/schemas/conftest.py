"""A folder with recordings and room for a recipe."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two sources, in which a recipe can be called `demo.yaml` as on a command line."""
    for name in ("arm", "web"):
        (tmp_path / "recordings" / name).mkdir(parents=True)
        (tmp_path / "recordings" / name / "a.mp4").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path
