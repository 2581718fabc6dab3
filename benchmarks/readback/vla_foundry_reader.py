"""A VLA Foundry export read back by the rules of that library, beside the shard set it was made from.

    .venv-vla-foundry/bin/python -m benchmarks.readback.vla_foundry_reader SHARDS EXPORT

VLA Foundry is on no package registry and pins Python 3.12, torch 2.7.0 and a Git branch of draccus, so it cannot be
installed here. What its loader does is public (its Data Format and Robotics Data pages, and the modules `dataloader`,
`file_utils`, `pipelines/robotics`), and is done here step by step with the WebDataset release it pins: one JSON object
a line; shards shuffled by a seed; the brace expansion of shard names with ``.tar`` appended; samples with lowdim,
metadata and pictures; camera and step out of ``<camera>_t<step>.jpg``; instructions by type; windows cropped around
``anchor_relative_idx``; ``num_sequences`` as the length. Exit status 1 when anything differs.
"""

import io
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import webdataset as wds
from PIL import Image

from benchmarks.readback.differences import Differences, psnr
from pipeline.loader.decode import decode_clip
from pipeline.loader.reader import ShardSet
from pipeline.loader.sample import EventSample

LOWEST_PSNR = 30.0
"""Of a JPEG of quality 95 against the picture it was made of."""
CROP_PAST, CROP_FUTURE = 0, 7
_PARTS = {"xyz": (0, 3), "rot_6d": (3, 9), "hand": (9, 10)}


def samples_of(manifest: Path, seed: int) -> list[dict[str, Any]]:
    """All samples as the library's loader would meet them before it decodes."""
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    np.random.default_rng(seed).shuffle(lines)
    names = [line["shard"] for line in lines]
    braces = names[0] if len(names) == 1 else "{" + ",".join(names) + "}"
    pipeline = wds.DataPipeline(wds.SimpleShardList(f"{manifest.parent}/{braces}.tar"), wds.tarfile_to_samples())
    samples = list(pipeline)
    assert len(samples) == sum(line["num_sequences"] for line in lines), "num_sequences are not what the shards hold"
    return samples


def is_robotics(sample: dict[str, Any]) -> bool:
    """What the library keeps."""
    return all(any(key.endswith(end) for key in sample) for end in ("lowdim.npz", "metadata.json", ".jpg"))


def read_back(shards: ShardSet, split: str, stride: int, folder: Path) -> None:
    """One dataset."""
    samples = samples_of(folder / "manifest.jsonl", seed=7)
    stats = json.loads((folder / "stats.json").read_text())
    found = Differences(f"{folder.name} ({len(samples)} samples)")
    expected = 0
    events: dict[str, tuple[EventSample, dict[str, Any]]] = {}
    for read in sorted(samples, key=lambda sample: str(sample["__key__"])):
        found.check("kept", is_robotics(read))
        key, _, anchor = read["__key__"].rpartition("-")
        if key not in events:
            sample = shards.read(split, int(key.split("-")[0]))
            found.check("keys", sample.key == key)
            events = {key: (sample, {camera: decode_clip(mp4) for camera, mp4 in sample.views.items()})}
            expected += -(-sample.n_frames // stride)
        _compare(found, read, *events[key], anchor=int(anchor), stats=stats)
    found.check("length", expected == len(samples))
    found.report()


def _compare(
    found: Differences, read: dict[str, Any], sample: EventSample, frames: Any, *, anchor: int, stats: dict[str, Any]
) -> None:
    metadata = json.loads(read["metadata.json"])
    for name in [name for name in read if name.endswith(".jpg")]:
        camera, _, step = name.removesuffix(".jpg").rpartition("_t")
        at = min(max(anchor + int(step), 0), len(frames[camera]) - 1)
        quality = psnr(np.asarray(Image.open(io.BytesIO(read[name]))), frames[camera][at])
        found.at_least("pictures", quality)
        found.check("pictures", quality >= LOWEST_PSNR)
    lowdim = dict(np.load(io.BytesIO(read["lowdim.npz"])))
    centre = metadata["anchor_relative_idx"]
    steps = np.arange(anchor - CROP_PAST, anchor + CROP_FUTURE + 1)
    inside = steps < sample.n_frames
    assert sample.action_times_ns is not None
    assert sample.state_T20 is not None
    assert sample.action_T20 is not None
    assert sample.action_valid_T is not None
    times = sample.view_times_ns[sample.master_view][steps.clip(0, sample.n_frames - 1)]
    rows = np.abs(sample.action_times_ns[:, None] - times).argmin(0)
    for name, values in lowdim.items():
        if not name.startswith("robot__"):
            continue
        _, side, _, rest = name.split("__", 3)
        arm, part = rest.split("::")[0], name.rsplit("_", 1)[-1] if name.endswith(("xyz", "hand")) else "rot_6d"
        start, stop = (10 * (arm == "right") + edge for edge in _PARTS[part])
        whole = sample.state_T20 if side == "actual" else sample.action_T20
        cropped = values[centre - CROP_PAST : centre + CROP_FUTURE + 1]
        found.numbers(side, cropped, whole[rows, start:stop])
        found.check("statistics", len(stats[name]["mean"]) == stop - start and np.isfinite(stats[name]["std"]).all())
    future = lowdim["future_mask"][centre - CROP_PAST : centre + CROP_FUTURE + 1]
    found.check("masks", bool(np.array_equal(future, inside & sample.action_valid_T[rows])))
    language = json.loads(read["language_instructions.json"])
    found.check("instructions", language["original"] == [sample.captions["task"]])
    found.check("captions", sample.caption in language["alternative"])


def main() -> None:
    """All datasets of an export."""
    shards, out = ShardSet.open(sys.argv[1]), Path(sys.argv[2])
    request = json.loads((out / "export.json").read_text())["request"]
    print(f"webdataset {version('webdataset')}, {request}")
    for manifest in sorted(out.glob("*/manifest.jsonl")):
        read_back(shards, request["split"], request["stride"], manifest.parent)


if __name__ == "__main__":
    main()
