"""The shards of a whole run, read by stock webdataset in a process that never imports anything of ours."""

import json
import subprocess
import sys
from pathlib import Path

from jobs.run import RunResult
from schemas.recipe_file import LoadedRecipe

SCRIPT = """
import glob, io, json, sys
import av, webdataset as wds

samples = frames = 0
for sample in wds.WebDataset(sorted(glob.glob(sys.argv[1] + "/*.tar")), shardshuffle=False):
    event = json.loads(sample["event.json"])
    clips = {name[: -len(".mp4")]: data for name, data in sample.items() if name.endswith(".mp4")}
    assert sorted(clips) == sorted(event["views"]), sample["__key__"]
    for camera, data in clips.items():
        with av.open(io.BytesIO(data)) as container:
            decoded = sum(1 for _ in container.decode(video=0))
        assert decoded == event["views"][camera]["n_frames"], (sample["__key__"], camera, decoded)
        frames += decoded
    samples += 1
ours = {"schemas", "pipeline", "annotators", "clustering", "jobs", "trainer", "data_cards"} & set(sys.modules)
print(json.dumps({"samples": samples, "frames": frames, "ours": sorted(ours)}))
"""


def test_stock_webdataset_reads_every_sample_with_its_exact_frame_count(
    reference: tuple[RunResult, LoadedRecipe], tmp_path: Path
) -> None:
    (shard_set,) = Path(reference[1].recipe.workspace.url).glob("shards/ss-*")
    command = [sys.executable, "-I", "-c", SCRIPT, str(shard_set)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    shards = json.loads((shard_set / "set.json").read_text())["shards"]
    assert found["samples"] == sum(shard["n_samples"] for shard in shards) > 50
    assert found["frames"] > 500
    assert found["ours"] == []
