"""What was made of a set and lies elsewhere is remembered once."""

import shutil
from pathlib import Path

from pipeline.blobs import Blobs
from pipeline.shards.handed_out import HandedOut, handed_out, remember, remember_made
from pipeline.shards.latest import point_at
from pipeline.shards.without import sets_there


def test_the_same_twice_is_one_and_no_shard_set(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    assert handed_out(blobs) == []
    export, training = HandedOut("export", "/a", "ss-1"), HandedOut("training", "/b", "ss-1")
    for made in (training, export, export):
        remember(blobs, made)
    assert handed_out(blobs) == [export, training]
    assert sets_there(blobs) == []


def test_a_set_of_a_workspace_remembers_and_a_set_alone_does_not(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "workspace" / "shards" / folder.name)
    workspace = Blobs(str(tmp_path / "workspace"))
    point_at(workspace, folder.name)
    remember_made("export", str(tmp_path / "out"), f"{workspace.url}/shards")
    remember_made("export", str(tmp_path / "out"), f"{workspace.url}/shards/{folder.name}")
    assert handed_out(workspace) == [HandedOut("export", str(tmp_path / "out"), folder.name)]
    shutil.copytree(folder, tmp_path / "alone")
    remember_made("export", str(tmp_path / "out"), str(tmp_path / "alone"))
    assert not (tmp_path / "shards").exists()
