"""A LeRobot export read back by LeRobot itself, frame by frame, beside the shard set it was made from.

    LD_LIBRARY_PATH=.venv-lerobot-0.6/ffmpeg .venv-lerobot-0.6/bin/python -m benchmarks.readback.lerobot_reader \
        SHARDS EXPORT

Every item of every dataset below EXPORT: pictures (torchcodec's, against our decoder's), states, actions, times and
captions, against what `ShardSet` reads of the same draw. Exit status 1 when anything differs.
"""

import json
import logging
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.readback.differences import Differences, is_the_frame, psnr
from clustering.torchvision_schemas import declare
from pipeline.exporters.lerobot_rows import COLUMN_NAMES
from pipeline.loader.decode import decode_clip
from pipeline.loader.reader import ShardSet
from pipeline.loader.sample import EventSample

LOWEST_PSNR = 35.0
"""Two decoders turn the same luma and chroma into RGB with other rounding; another picture is far below."""


def read_back(shards: ShardSet, split: str, root: Path) -> None:
    """One dataset."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset  # noqa: PLC0415 - torchvision's schemas come first

    dataset = LeRobotDataset("joinery/readback", root=root)
    found = Differences(f"{root.name} ({len(dataset)} frames, {dataset.num_episodes} episodes)")
    events = pq.read_table(root / "meta" / "events.parquet", columns=["key"]).column("key").to_pylist()
    found.check("episodes", len(events) == dataset.num_episodes)
    at = 0
    for index, key in enumerate(events):
        sample = shards.read(split, int(key.split("-")[0]))
        found.check("keys", sample.key == key)
        frames = {camera: decode_clip(mp4) for camera, mp4 in sample.views.items()}
        n = sample.n_frames
        for i in range(n):
            item = dataset[at + i]
            found.check("places", int(item["episode_index"]) == index and int(item["frame_index"]) == i)
            _compare(found, item, sample, frames, i=i, fps=int(dataset.fps))
        at += n
    found.check("length", at == len(dataset))
    found.report()


def _compare(found: Differences, item: dict[str, Any], sample: EventSample, frames: Any, *, i: int, fps: int) -> None:
    for name, value in item.items():
        if name.startswith("observation.images."):
            own = frames[name.removeprefix("observation.images.")]
            picture = (value.numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)
            quality = psnr(picture, own[i])
            found.at_least("pictures", quality)
            found.check("pictures", quality >= LOWEST_PSNR and is_the_frame(picture, own, i, quality))
    times = sample.view_times_ns[sample.master_view]
    found.check("times", int(item["time_ns"]) == times[i])
    found.check("timestamps", abs(float(item["timestamp"]) - i / fps) < 1e-4)
    if sample.action_times_ns is not None and len(sample.action_times_ns):
        row = int(np.argmin(np.abs(sample.action_times_ns - times[i])))
        for name, values, known, valid in (
            ("observation.state", sample.state_T20, sample.state_known_20, sample.state_valid_T),
            ("action", sample.action_T20, sample.known_20, sample.action_valid_T),
        ):
            assert values is not None
            assert valid is not None
            if known.any():
                found.numbers(name, item[name].numpy().reshape(-1), values[row, known])
                found.check("valid", bool(item[f"valid.{name.split('.')[-1]}"]) == bool(valid[row]))
    found.check("tasks", item["task"] == sample.captions["task"])
    if "language_persistent" in item:
        from lerobot.datasets.language_render import active_at  # noqa: PLC0415 - LeRobot 0.4 has none

        for style, level in (("subtask", "subtask"), ("motion", sample.level)):
            row_now = active_at(float(item["timestamp"]), persistent=item["language_persistent"], style=style)
            found.check(f"{style} captions", row_now["content"] == sample.captions[level])
        found.check("language events", list(item["language_events"]) == [])
    else:
        found.check("subtasks", item["subtask"] == sample.captions["subtask"])
        found.check("captions", item["caption"] == sample.caption)


def main() -> None:
    """All datasets of an export."""
    logging.disable(logging.WARNING)
    shards, out = ShardSet.open(sys.argv[1]), Path(sys.argv[2])
    request = json.loads((out / "export.json").read_text())["request"]
    _library = declare()
    print(f"lerobot {version('lerobot')}, torchcodec {version('torchcodec')}, {request}")
    for info in sorted(out.glob("*/meta/info.json")):
        described = json.loads(info.read_text())["features"].get("observation.state", {"names": []})
        assert set(described["names"]) <= set(COLUMN_NAMES)
        read_back(shards, request["split"], info.parents[1])


if __name__ == "__main__":
    main()
