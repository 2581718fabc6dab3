"""VLA Foundry's robotics samples: windows with masks, pictures around an anchor, a manifest that counts them."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.exporters.folder import Counts, digests
from pipeline.exporters.vla_foundry import FUTURE, PAST, _Running, window_of, write_vla_foundry
from pipeline.loader.decode import decode_clip
from pipeline.loader.reader import ShardSet
from schemas.array import Bools

STRIDE = 3


@pytest.fixture(scope="module")
def exported(opened: ShardSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Counts]:
    out = tmp_path_factory.mktemp("vla_foundry")
    return out, write_vla_foundry(opened, "train", STRIDE, "the card", out)


def samples(folder: Path) -> dict[str, dict[str, bytes]]:
    found: dict[str, dict[str, bytes]] = {}
    for line in (folder / "manifest.jsonl").read_text().splitlines():
        shard = json.loads(line)
        own: dict[str, dict[str, bytes]] = {}
        with tarfile.open(folder / f"{shard['shard']}.tar") as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file is not None
                key, _, extension = member.name.partition(".")
                own.setdefault(key, {})[extension] = file.read()
        assert len(own) == shard["num_sequences"]
        found |= own
    return found


def test_every_acting_event_has_its_anchors(exported: tuple[Path, Counts], opened: ShardSet) -> None:
    out, counts = exported
    acting = [sample for _, sample in opened.iterate("train") if sample.action_T20 is not None]
    expected = {f"{s.key}-{anchor:06d}" for s in acting for anchor in range(0, s.n_frames, STRIDE)}
    assert {key for path in out.glob("*/manifest.jsonl") for key in samples(path.parent)} == expected
    assert counts.n_events == len(acting)
    silent = opened.n_samples("train") - len(acting)
    assert silent > 0
    assert (
        counts.losses.events["not carried: it has no actions, which VLA Foundry's robotics samples are made of"]
        == silent
    )


def test_a_sample_holds_what_the_event_had_there(exported: tuple[Path, Counts], opened: ShardSet) -> None:
    for path in exported[0].glob("*/manifest.jsonl"):
        for key, members in samples(path.parent).items():
            sample = opened.read("train", int(key.split("-")[0]))
            anchor = int(key.rsplit("-", 1)[1])
            metadata = json.loads(members["metadata.json"])
            assert (metadata["anchor_timestep"], metadata["anchor_relative_idx"]) == (anchor, PAST)
            assert json.loads(members["language_instructions.json"])["original"] == [sample.captions["task"]]
            (camera,) = metadata["camera_names"]
            picture = np.asarray(Image.open(io.BytesIO(members[f"{camera}_t0.jpg"]))).astype(float)
            frames = decode_clip(sample.views[camera])
            assert np.abs(picture - frames[anchor]).mean() < 3
            lowdim: dict[str, Any] = dict(np.load(io.BytesIO(members["lowdim.npz"])))
            assert sample.action_T20 is not None
            (name,) = [name for name in lowdim if name.startswith("robot__desired__poses__") and name.endswith("__xyz")]
            start = 10 if "__right::" in name else 0
            assert any(np.array_equal(lowdim[name][PAST], row[start : start + 3]) for row in sample.action_T20)


def masks(n: int, anchor: int) -> tuple[Bools, Bools]:
    window = window_of({}, np.ones(n, np.bool_), np.ones(n, np.bool_), anchor)
    return window["past_mask"], window["future_mask"]


def test_masks_say_what_is_past_future_and_padding() -> None:
    past, future = masks(100, 50)
    assert past.tolist() == [True] * PAST + [False] * (FUTURE + 1)
    assert future.tolist() == [False] * PAST + [True] * (FUTURE + 1)
    assert not masks(100, 0)[0].any()
    assert masks(100, 99)[1].sum() == 1
    window = window_of({}, np.array([False, True]), np.array([True, False]), 1)
    assert not window["past_mask"].any(), "a state nobody vouches for does not count"
    assert not window["future_mask"].any()


def test_statistics_are_of_what_counts() -> None:
    rng = np.random.default_rng(0)
    values, counted = rng.normal(2, 3, (40, 5, 3)), rng.random((40, 5)) < 0.6
    running = _Running((5, 3))
    for window, mask in zip(values, counted, strict=True):
        running.add(window, mask)
    found, rows = running.described(), values[counted]
    np.testing.assert_allclose(found["mean"], rows.mean(0))
    np.testing.assert_allclose(found["std"], rows.std(0, ddof=1))
    np.testing.assert_allclose(found["max"], rows.max(0))
    np.testing.assert_allclose(found["mean_per_timestep"][2], values[counted[:, 2], 2].mean(0))
    assert found["count"].tolist() == counted.sum(0).tolist()


def test_the_same_set_gives_the_same_bytes(exported: tuple[Path, Counts], opened: ShardSet, tmp_path: Path) -> None:
    write_vla_foundry(opened, "train", STRIDE, "the card", tmp_path)
    assert digests(tmp_path) == digests(exported[0])
