"""VLA Foundry (Toyota Research Institute): ``manifest.jsonl``, ``stats.json`` and tars of robotics samples.

Its robotics loader knows single moments: pictures at an anchor frame and the one before, and a window of states and
actions around it with masks for what is padded. So an event becomes one sample for each ``stride`` frames, and shards
hold them in the order of the plan. The manifest names shards without ``.tar``: the library's page shows the suffix, its
code appends it. The library draws whole shards at random, so balance holds over an epoch and not for every prefix.
"""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import JoineryError
from pipeline.exporters.folder import Counts, Losses
from pipeline.exporters.kinds import Kind, ReadEvent, folder_names, read_event, retiming_ns, sorted_by_kind
from pipeline.exporters.lerobot_rows import ACTION, ACTION_VALID, STATE, STATE_VALID, frame_rows, subtask_of, task_of
from pipeline.loader.decode import Pixels, decode_clip
from pipeline.loader.reader import ShardSet
from pipeline.shards.json_text import compact, pretty
from pipeline.shards.npz import write_npz
from pipeline.shards.tar import TarStream, sample_bytes
from schemas.array import Bools, Floats

PAST, FUTURE = 1, 14
"""Steps of the window before and after the anchor, at the rate of the frames."""
PICTURE_OFFSETS = (-1, 0)
JPEG_QUALITY = 95
SAMPLES_PER_SHARD = 512
_PARTS = (("poses", "xyz", 0, 3), ("poses", "rot_6d", 3, 9), ("grippers", "hand", 9, 10))
_ARMS = ("left", "right")


def write_vla_foundry(shards: ShardSet, split: str, stride: int, card: str, out: Path) -> Counts:
    """Every kind of the split that has actions as a dataset below ``out``. Raises JoineryError when there is none."""
    kinds, losses = sorted_by_kind(shards, split)
    acting = {kind: draws for kind, draws in kinds.items() if kind.action and kind.state}
    losses.add(
        "not carried: it has no actions, which VLA Foundry's robotics samples are made of",
        sum(len(draws) for kind, draws in kinds.items() if kind not in acting),
    )
    if not acting:
        raise JoineryError(f"{shards.shard_set_id}: no event of {split} fits: {'; '.join(sorted(losses.events))}")
    n_frames = 0
    for name, kind in folder_names(acting).items():
        folder = out / name
        folder.mkdir(parents=True)
        writer = _Dataset(folder, kind, stride, losses)
        for t in acting[kind]:
            n_frames += writer.add(read_event(shards, split, t))
        writer.close()
        page = f"Licence: {kind.licence}. Exported from the shard set `{shards.shard_set_id}`, whose card follows."
        (folder / "README.md").write_text(f"{page}\n\n{card}", encoding="utf-8")
    n_events = sum(map(len, acting.values()))
    losses.add("pictures are encoded anew, as JPEG", n_events)
    return Counts(n_events, n_frames, losses)


@dataclass
class _Dataset:
    """One dataset being written."""

    folder: Path
    kind: Kind
    stride: int
    losses: Losses
    _statistics: dict[str, "_Running"] = field(default_factory=dict)
    _manifest: list[dict[str, Any]] = field(default_factory=list)
    _waiting: list[bytes] = field(default_factory=list)

    def add(self, event: ReadEvent) -> int:
        """The event's samples; returns its number of frames."""
        sample = event.sample
        rows = frame_rows(sample, event.members, self.kind)
        if rows.rows_left_over:
            self.losses.add("control rows between frames: a window has one step per frame")
        if retiming_ns(sample.view_times_ns[sample.master_view], self.kind.fps) > 1_000_000:
            self.losses.add("exact frame times: steps count whole frames")
        n = len(rows.columns["frame_index"])
        lowdim = lowdim_of(rows.columns, self.kind)
        pictures = {view.camera: decode_clip(event.members[f"{view.camera}.mp4"]) for view in self.kind.views}
        cameras = self._cameras(event)
        for anchor in range(0, n, self.stride):
            window = window_of(lowdim, rows.columns[STATE_VALID], rows.columns[ACTION_VALID], anchor)
            self._count(window)
            members = [
                *_jpegs(pictures, anchor),
                ("lowdim.npz", write_npz({**window, **cameras})),
                ("language_instructions.json", compact(_language(event))),
                ("metadata.json", compact(self._metadata(event, anchor, n))),
            ]
            self._waiting.append(sample_bytes(f"{sample.key}-{anchor:06d}", members))
            if len(self._waiting) == SAMPLES_PER_SHARD:
                self._flush()
        return n

    def close(self) -> None:
        """Write the last shard, the manifest and the statistics."""
        self._flush()
        lines = "".join(json.dumps(line) + "\n" for line in self._manifest)
        (self.folder / "manifest.jsonl").write_text(lines, encoding="utf-8")
        found = {name: running.described() for name, running in self._statistics.items()}
        (self.folder / "stats.json").write_text(pretty(found), encoding="utf-8")

    def _count(self, window: Mapping[str, NDArray[Any]]) -> None:
        mask = window["past_mask"] | window["future_mask"]
        for name, values in window.items():
            if name not in ("past_mask", "future_mask"):
                self._statistics.setdefault(name, _Running(values.shape)).add(values, mask)

    def _cameras(self, event: ReadEvent) -> dict[str, NDArray[Any]]:
        known = event.sample.calibration()["cameras"]
        given = {view.camera: known.get(view.camera, {}).get("intrinsics") for view in self.kind.views}
        return {f"intrinsics.{camera}": np.array(matrix) for camera, matrix in given.items() if matrix is not None}

    def _metadata(self, event: ReadEvent, anchor: int, n: int) -> dict[str, Any]:
        sample = event.sample
        return {
            "sample_id": f"{sample.key}-{anchor:06d}",
            "episode_id": sample.event_id,
            "anchor_timestep": anchor,
            "anchor_relative_idx": PAST,
            "episode_length": n,
            "fps": self.kind.fps,
            "camera_names": [view.camera for view in self.kind.views],
            "original_image_sizes": {view.camera: [view.width, view.height] for view in self.kind.views},
            "recording": sample.episode_id,
            "source": sample.record["lineage"]["source"],
            "licence": sample.record["licence"],
            "cell": [sample.vision_language, sample.action],
        }

    def _flush(self) -> None:
        if not self._waiting:
            return
        name = f"shard_{len(self._manifest):06d}"
        with (self.folder / f"{name}.tar").open("wb") as file:
            tar = TarStream(file)
            for data in self._waiting:
                tar.add(data)
            tar.finish()
        self._manifest.append({"shard": name, "num_sequences": len(self._waiting)})
        self._waiting = []


def lowdim_of(columns: Mapping[str, NDArray[Any]], kind: Kind) -> dict[str, Floats]:
    """States and actions [N, 3 | 6 | 1] by the library's names: ``robot__actual__poses__left::panda__xyz``."""
    found: dict[str, Floats] = {}
    for side, name, known in (("actual", STATE, kind.state), ("desired", ACTION, kind.action)):
        for arm, label in enumerate(_ARMS):
            for quantity, part, start, stop in _PARTS:
                wanted = [known.index(10 * arm + i) for i in range(start, stop) if 10 * arm + i in known]
                if len(wanted) == stop - start:
                    found[f"robot__{side}__{quantity}__{label}::{kind.robot}__{part}"] = columns[name][:, wanted]
    return found


def window_of(lowdim: Mapping[str, Floats], state_valid: Bools, action_valid: Bools, anchor: int) -> dict[str, Any]:
    """Steps around an anchor frame, edges repeated, and masks of what counts: past states and future actions.

    The anchor itself belongs to the future.
    """
    steps = np.arange(anchor - PAST, anchor + FUTURE + 1)
    inside = (steps >= 0) & (steps < len(state_valid))
    taken = steps.clip(0, len(state_valid) - 1)
    past = steps < anchor
    window: dict[str, Any] = {name: values[taken] for name, values in lowdim.items()}
    window["past_mask"] = past & inside & state_valid[taken]
    window["future_mask"] = ~past & inside & action_valid[taken]
    return window


class _Running:
    """Mean, spread and range of a field by step of the window, over steps whose mask is set."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._n = np.zeros((shape[0], 1))
        self._mean, self._squares = np.zeros(shape), np.zeros(shape)
        self._low, self._high = np.full(shape, np.inf), np.full(shape, -np.inf)

    def add(self, values: Floats, mask: Bools) -> None:
        counted = mask[:, None]
        self._n += counted
        moved = np.where(counted, values - self._mean, 0.0)
        self._mean += moved / np.maximum(self._n, 1)
        self._squares += moved * np.where(counted, values - self._mean, 0.0)
        self._low = np.where(counted, np.minimum(self._low, values), self._low)
        self._high = np.where(counted, np.maximum(self._high, values), self._high)

    def described(self) -> dict[str, Any]:
        """By step and over all; a step that never counts has zeros."""
        n = self._n.sum()
        mean = (self._mean * self._n).sum(0) / max(n, 1)
        squares = (self._squares + self._n * (self._mean - mean) ** 2).sum(0)
        low, high = (np.where(self._n > 0, part, 0.0) for part in (self._low, self._high))
        return {
            "mean": mean,
            "std": np.sqrt(squares / max(n - 1, 1)),
            "min": self._low.min(0) if n else np.zeros_like(mean),
            "max": self._high.max(0) if n else np.zeros_like(mean),
            "mean_per_timestep": self._mean,
            "std_per_timestep": np.sqrt(self._squares / np.maximum(self._n - 1, 1)),
            "min_per_timestep": low,
            "max_per_timestep": high,
            "count": self._n[:, 0].astype(np.int64),
        }


def _jpegs(pictures: Mapping[str, Pixels], anchor: int) -> Iterator[tuple[str, bytes]]:
    for offset in PICTURE_OFFSETS:
        for camera, frames in pictures.items():
            buffer = io.BytesIO()
            at = min(max(anchor + offset, 0), len(frames) - 1)
            Image.fromarray(frames[at]).save(buffer, "JPEG", quality=JPEG_QUALITY)
            yield f"{camera}_t{offset}.jpg", buffer.getvalue()


def _language(event: ReadEvent) -> dict[str, list[str]]:
    """The task as ``original``; its part and the event itself as ``alternative``; the caption's other wordings."""
    sample = event.sample
    found = {"original": [task_of(sample)], "alternative": [*dict.fromkeys((subtask_of(sample), sample.caption))]}
    rephrased = [text["text"] for text in sample.record["event"].get("rephrasings", ())]
    return found | ({"randomized": rephrased} if rephrased else {})
