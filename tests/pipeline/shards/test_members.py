"""One sample from the inside: what its JSON says and whether it is true."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from pipeline.errors import JoineryError
from pipeline.shards.members import Sample, clips_of, sample_members
from schemas.plan import Draw
from schemas.shard import Clip
from tests.pipeline.shards.corpus import Corpus
from tests.pipeline.shards.test_recording import together


def clips_by_camera(of: Corpus, draw: Draw) -> dict[str, Clip]:
    return {clip.camera: clip for clip in of.clips if clip.event_id == draw.event_id}


def made(of: Corpus, draw: Draw) -> Sample:
    recording = together(of)[draw.episode_id]
    event = recording.events[draw.event_id]
    clips = clips_of(event, recording, clips_by_camera(of, draw))
    return Sample(draw, event, recording, clips)


def members(of: Corpus, draw: Draw) -> dict[str, Any]:
    found = sample_members(made(of, draw))
    return {name: json.loads(content) if name.endswith(".json") else content for name, content in found}


def of_episode(of: Corpus, number: int) -> Draw:
    return next(draw for draw in of.draws if draw.episode_id == of.episodes[number].episode_id)


def test_every_sample_has_the_same_kinds_of_members(filmed: Corpus) -> None:
    for draw in filmed.draws:
        names = [name for name in members(filmed, draw) if not name.endswith(".mp4")]
        assert names == ["action.npz", "state.npz", "calib.json", "event.json"]


def test_the_record_leads_back_to_the_source_and_up_to_the_task(filmed: Corpus) -> None:
    draw = of_episode(filmed, 0)
    record = members(filmed, draw)["event.json"]
    assert list(record["captions"]) == ["task", "subtask", "action"]
    assert record["captions"]["action"] == record["event"]["caption"]
    assert record["event"]["parent_id"] == record["ancestors"][-1]
    assert record["lineage"] == {
        "source": "bench",
        "kind": "open_robot",
        "dataset": "bench",
        "locator": "episode_index=0",
        "embodiment": "arm7",
        "protocol": "structured",
        "episode_id": draw.episode_id,
        "event_id": draw.event_id,
    }
    assert (record["licence"], record["consent"]) == ("CC-BY-4.0", "stated")


def test_views_start_with_the_master_and_keep_the_sources_names(filmed: Corpus) -> None:
    views = members(filmed, of_episode(filmed, 0))["event.json"]["views"]
    assert next(iter(views.values()))["camera"] == "observation.images.Top"
    for view in views.values():
        assert len(view["times_ns"]) == view["n_frames"]


def test_intrinsics_are_those_of_the_clip(filmed: Corpus) -> None:
    top = members(filmed, of_episode(filmed, 0))["calib.json"]["cameras"]["observation_images_top"]
    assert (top["source_width"], top["source_height"], top["width"], top["height"]) == (64, 48, 42, 32)
    K = np.array(top["intrinsics"])
    source = np.array([[100.0, 0, 32], [0, 100, 24], [0, 0, 1]])
    for corner in ([-0.5, -0.5], [63.5, 47.5]):
        ray = np.linalg.solve(source, [*corner, 1.0])
        expected = (np.array(corner) + 0.5) * [42 / 64, 32 / 48] - 0.5
        np.testing.assert_allclose((K @ ray)[:2], expected, atol=1e-9)


def test_moving_cameras_give_one_pose_per_frame_of_the_clip(filmed: Corpus) -> None:
    episode = filmed.episodes[0]
    poses = np.tile(np.eye(4), (episode.master.n_frames, 1, 1))
    poses[:, 0, 3] = np.arange(len(poses))
    moving = dataclasses.replace(episode.master, extrinsics=poses)
    changed = dataclasses.replace(episode, cameras=(moving, *episode.cameras[1:]))
    draw = of_episode(filmed, 0)
    found = members(dataclasses.replace(filmed, episodes=(changed, *filmed.episodes[1:])), draw)
    span = found["event.json"]["event"]["span"]
    x = np.array(found["calib.json"]["cameras"]["observation_images_top"]["extrinsics"])[:, 0, 3]
    assert x.tolist() == list(range(span["frame_start"], span["frame_end"]))


def test_a_clip_that_is_not_whole_is_refused(filmed: Corpus) -> None:
    draw = of_episode(filmed, 0)
    recording = together(filmed)[draw.episode_id]
    event, clips = recording.events[draw.event_id], clips_by_camera(filmed, draw)
    master = recording.episode.master.name
    short = {**clips, master: dataclasses.replace(clips[master], n_frames=3)}
    for wrong in (short, {}, {camera: clip for camera, clip in clips.items() if camera != master}):
        with pytest.raises(JoineryError, match=r"frames of observation\.images\.Top"):
            clips_of(event, recording, wrong)
