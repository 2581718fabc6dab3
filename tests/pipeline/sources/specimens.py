"""Small whole sources of every format, for tests that go over all of them, such as the fuzzer's.

A format has one specimen or several, one per container or version it comes in; where the layout allows, each holds two
episodes, so that damage to one can be seen to leave the other alone. Names are ``format/variant``.
"""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mcap.writer import CompressionType
from zarr.codecs import BloscCodec

from tests.pipeline.films import drifting, film
from tests.pipeline.sources import datasets
from tests.pipeline.sources.written import (
    agibot,
    aloha,
    droid_raw,
    ego4d,
    egodex,
    epic_kitchens,
    fastumi,
    hand_log,
    rlds,
    robomimic,
    ros_bag,
    self_collected,
    stills,
    umi_session,
    umi_zarr,
)

CARD = {"licence": "CC0-1.0"}
_SMALL = (32, 48)
"""Height and width of pictures that are only there to be read."""

Writer = Callable[[Path, Path], dict[str, Any]]
"""Writes a source below the first path with recordings of the second; returns what its recipe says besides."""


def _agibot(root: Path, real: Path) -> dict[str, Any]:
    entries = [agibot.entry(episode) for episode in (agibot.EPISODE, agibot.EPISODE + 1)]
    agibot.write_task(root, entries)
    for number, run in enumerate((agibot.RUN, agibot.OTHER_RUN)):
        agibot.write_episode(root, agibot.recording(real, run, n_rows=8, size=_SMALL), agibot.EPISODE + number)
    return {}


def _aloha(root: Path, real: Path) -> dict[str, Any]:
    """ACT's, Mobile ALOHA's and AgileX's files."""
    qpos, action = aloha.sim_joints(real, aloha.RUN, 8)
    images = {"cam_high": aloha.sim_pictures(real, aloha.RUN, 8, _SMALL)}
    aloha.write_act(root / "act/episode_0.hdf5", qpos, action, images)
    base = np.zeros((8, 2))
    aloha.write_act(root / "mobile/episode_0.hdf5", qpos, action, images, base_action=base, compress=True)
    aloha.write_agilex(root / "agilex/episode_0.hdf5", qpos, action, images)
    return {}


def _droid_raw(root: Path, real: Path) -> dict[str, Any]:
    for number, first in enumerate((40, 80)):
        rec = droid_raw.recording(real, n_rows=8, first=first, size=_SMALL)
        about = droid_raw.metadata(uuid=f"{droid_raw.UUID}{number}")
        droid_raw.write_episode(root / f"episode_{number}", rec, about=about, stereo=not number)
    droid_raw.write_sentences(root, f"{droid_raw.UUID}1")
    return {}


def _ego4d(root: Path, real: Path) -> dict[str, Any]:
    said = {
        "narration_pass_1": {
            "narrations": [ego4d.narration(0.12, "#C C inserts the toner"), ego4d.narration(0.2, "#O a man X nods")],
            "summaries": [{"start_sec": 0.0, "end_sec": 0.3, "summary_text": "#Summary C refills"}],
        },
        "status": "complete",
    }
    steps = [{"start_time": 0.1, "end_time": 0.2, "step_description": "opens", "segments": []}]
    goal = {"start_time": 0.021, "end_time": 0.35, "goal_description": "refills", "segments": steps}
    uids = (ego4d.UID, ego4d.OTHER)
    redacted = [{"start_sec": 0.2, "end_sec": 0.25}]
    ego4d.write_ego4d(
        root,
        real / egodex.SHORT,
        [ego4d.metadata_of(uid, redacted_intervals=redacted) for uid in uids],
        clips=[ego4d.clip_of(ego4d.UID, ego4d.CLIP, 0.1, 0.3)],
        narrations=dict.fromkeys(uids, said),
        actions={uid: [ego4d.narrated_action(1, {"pre_frame": 2, "pnr_frame": 4})] for uid in uids},
        goal_steps=[{"video_uid": uid, **goal} for uid in uids],
        filmed=uids,
    )
    return {}


def _egodex(root: Path, real: Path) -> dict[str, Any]:
    video = egodex.restamped(real / egodex.SHORT, 30)
    poses, apart_m = egodex.real_poses(real, 10), egodex.jaws(real, 10)
    for number in range(2):
        egodex.write_egodex(root / f"insert_toner/{number}", poses, apart_m + 0.01 * number, video=video)
    return {}


def _epic_kitchens(root: Path, real: Path) -> dict[str, Any]:
    rows = [
        epic_kitchens.segment(number, 0.02, 0.1, "open door", video_id=video)
        for number in range(2)
        for video in ("P01_01", "P02_03")
    ]
    validated = [epic_kitchens.segment(2, 0.08, 0.16, "take plate", video_id="P01_01")]
    epic_kitchens.write_epic(
        root,
        real / egodex.SHORT,
        {"EPIC_100_train.csv": rows, "EPIC_100_validation.csv": validated},
        info=[(video, "0.16683", "59.9400599400599", "896x504") for video in ("P01_01", "P02_03")],
        filmed=("P01_01", "P02_03"),
    )
    return {}


def _fastumi(root: Path, real: Path) -> dict[str, Any]:
    for task, run in (("pick_up_can", fastumi.RUN), ("pour", fastumi.OTHER_RUN)):
        rec = fastumi.recording(real, run, n_rows=8, size=_SMALL)
        fastumi.write_episode(root / task / "episode_0.hdf5", rec, with_gripper=task == "pour")
        fastumi.write_times(root / task, rec)
    return {}


def _hand_log(root: Path, real: Path) -> dict[str, Any]:
    tracked = hand_log.tracked(real, 20)
    hand_log.write(root / "a.npz", tracked)
    hand_log.write(root / "b.npz", hand_log.tracked(real, 12))
    return {}


def _hot3d(root: Path, real: Path) -> dict[str, Any]:
    """The real fixture without what nobody reads."""
    fixture = real / "egocentric/hot3d_pose_fixture"
    for path in sorted(fixture.rglob("*")):
        if path.is_file() and "mps" not in path.parts and "box2d" not in path.name:
            _copied(path, root / path.relative_to(fixture))
    return {}


def _lerobot_v20(root: Path, _real: Path) -> dict[str, Any]:
    datasets.write_v2(root, [6, 7], info={"codebase_version": "v2.0"}, tasks_as=dict)
    return {}


def _lerobot_v21(root: Path, _real: Path) -> dict[str, Any]:
    datasets.write_v2(root, [6, 7])
    return {}


def _lerobot_v30(root: Path, _real: Path) -> dict[str, Any]:
    datasets.write_v3(root, [6, 7])
    return {}


def _lerobot_stills(root: Path, _real: Path) -> dict[str, Any]:
    stills.write_stills(root, [6, 7])
    return {}


def _rlds(root: Path, real: Path) -> dict[str, Any]:
    records = rlds.bridge_records(real)[:2]
    rlds.write_files(root, {"train": [records], "val": [records[:1]]}, rlds.bridge_features(real))
    return {"fps": 5}


def _robomimic(root: Path, real: Path) -> dict[str, Any]:
    """robomimic's own with and without compression, LIBERO's and IsaacLab's."""
    demos = [robomimic.sim_demo(real, run, slice(30, 46, 2)) for run in robomimic.RUNS]
    robomimic.write_robomimic(root / "can/image.hdf5", demos, masks={"train": ["demo_0"], "valid": ["demo_1"]})
    robomimic.write_robomimic(root / "packed/image.hdf5", demos[:1], compress=True)
    robomimic.write_libero(root / "libero.hdf5", demos[:1])
    robomimic.write_isaac(root / "isaac.hdf5", demos[1])
    return {}


def _bag1(root: Path, real: Path) -> dict[str, Any]:
    for name, n_rows, compression in (("a", 16, "lz4"), ("b", 18, "bz2"), ("c", 17, "none")):
        said = ros_bag.said_in(ros_bag.take(real, n_rows, _SMALL))
        ros_bag.write_bag1(root / f"{name}.bag", said, compression, chunk_bytes=1 << 12)
    return ros_bag.RECIPE


def _db3(root: Path, real: Path) -> dict[str, Any]:
    for name, n_rows, packed in (("a", 16, False), ("b", 18, True)):
        said = ros_bag.said_in(ros_bag.take(real, n_rows, _SMALL))
        ros_bag.write_bag2(root / name, said, "sqlite3", packed=packed)
    return ros_bag.RECIPE


def _mcap(root: Path, real: Path) -> dict[str, Any]:
    for name, n_rows in (("a", 16), ("b", 18)):
        ros_bag.write_bag2(root / name, ros_bag.said_in(ros_bag.take(real, n_rows, _SMALL)))
    return ros_bag.RECIPE


def _foxglove(root: Path, real: Path) -> dict[str, Any]:
    ros_bag.write_json(root / "a.mcap", ros_bag.take(real, 10, _SMALL))
    ros_bag.write_json(root / "b.mcap", ros_bag.take(real, 12, _SMALL), CompressionType.NONE)
    gripper = {"topic": "/gripper", "field": "width", "open": 0.04}
    return {"state": [{"arm": "right", "pose_topic": "/ee_pose", "gripper": gripper}]}


def _video_topic(root: Path, real: Path) -> dict[str, Any]:
    for name, n_rows in (("a", 12), ("b", 14)):
        ros_bag.write_video(root / f"{name}.mcap", ros_bag.annex_b(ros_bag.take(real, n_rows).pictures)[0])
    return {}


def _self_collected(root: Path, real: Path) -> dict[str, Any]:
    self_collected.write(root / "0001", real, n_frames=8)
    self_collected.write(root / "0002", real, n_frames=9)
    return {}


def _umi_json(root: Path, real: Path) -> dict[str, Any]:
    recorded = real / "umi/mouse_arrangement"
    for name in ("a", "b"):
        _copied(recorded / "videos/umi.mp4", root / f"videos/{name}.mp4")
        _copied(recorded / "actions/umi.json", root / f"actions/{name}.json")
    rows = json.loads((root / "actions/b.json").read_text())
    (root / "actions/b.json").write_text(json.dumps(rows[:-1] if isinstance(rows, list) else rows))
    return {}


def _umi_session(root: Path, real: Path) -> dict[str, Any]:
    """Two demos with SLAM trajectories, calibration and table tag, and the pickles that nobody may open."""
    n_frames, demos = 6, root / "demos"
    scene = umi_session.scene(list(umi_zarr.umi_pictures(real)[:4]), n_frames)
    widths = np.linspace(umi_session.MIN_WIDTH, umi_session.MAX_WIDTH, n_frames)
    tagged = [umi_session.with_tags(picture, width) for picture, width in zip(scene, widths, strict=True)]
    with np.load(real / "sim/robosuite_pickplacecan_seed0_wrist.npz") as numbers:
        poses = numbers["eef_pos"][:n_frames], numbers["eef_quat"][:n_frames]
    for name in ("2024.01.10_10.57.34.882133", "2024.01.10_10.58.00.000000"):
        umi_session.write_demo(demos, f"demo_{umi_session.SERIAL}_{name}", tagged, *poses, lost=(2,))
        tagged = tagged[::-1]
    umi_session.write_calibration(demos, tagged)
    umi_session.write_tag(demos, umi_session.pose_matrix([0.4, -0.3, 0.9], [0.3, 1.2, -0.4]))
    (root / "dataset_plan.pkl").write_bytes(pickle.dumps([]))
    (root / "gopro_intrinsics_2_7k.json").write_text(json.dumps(umi_session.INTRINSICS))
    return {"fps": umi_session.RATE}


def _umi_zip(root: Path, real: Path) -> dict[str, Any]:
    umi_zarr.write_buffer(root / "dataset.zarr.zip", _buffered(real))
    return {}


def _umi_folder(root: Path, real: Path) -> dict[str, Any]:
    """Both versions of zarr."""
    umi_zarr.write_buffer(root / "a/dataset.zarr", _buffered(real))
    umi_zarr.write_buffer(
        root / "b/dataset.zarr",
        _buffered(real)[::-1],
        zarr_format=3,
        compressor=BloscCodec(),
        pictures_codec=BloscCodec(),
    )
    return {}


def _buffered(real: Path) -> list[list[umi_zarr.Demo]]:
    run = "robosuite_pickplacecan_seed0_wrist"
    return [[umi_zarr.sim_demo(real, run, n_rows=8)], [umi_zarr.sim_demo(real, run, n_rows=14).rows(5, 14)]]


_YT_DLP = {
    "id": "a1", "title": "Tidying up", "duration": 0.6, "license": "CC-BY-4.0", "width": 128, "height": 96, "fps": 20,
    "chapters": [
        {"start_time": 0.0, "end_time": 0.3, "title": "pick"}, {"start_time": 0.3, "end_time": 0.6, "title": "put"}
    ],
    "webpage_url": "https://example.org/a1", "uploader": "x", "tags": ["kitchen"], "description": "we tidy up",
    "subtitles": {"en": []}, "automatic_captions": {}, "language": "en", "upload_date": "20240101",
}  # fmt: skip
"""What yt-dlp writes beside a video."""


def _video_folder(root: Path, _real: Path) -> dict[str, Any]:
    """Films in three containers, with what people put beside them."""
    for name in ("a.mp4", "b.mkv", "c.webm"):
        container = "matroska" if name.endswith(("mkv", "webm")) else "mp4"
        (root / name).write_bytes(film(drifting(12), container=container))
    (root / "a.vtt").write_text(
        "WEBVTT\n\n00:00.000 --> 00:00.300\npick it up\n\n00:00.300 --> 00:00.550\nput it down\n"
    )
    (root / "c.en.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:00.300\nnow\n\n00:00.300 --> 00:00.550\nnow\nthen\n")
    chapters = [{"start_time": 0.0, "end_time": 0.3, "title": "pick"}, {"start_time": 0.3, "title": "put"}]
    said = {"id": "b", "title": "tidy", "license": "by", "duration": 0.6, "chapters": chapters, "subtitles": {"en": []}}
    (root / "b.info.json").write_text(json.dumps(said))
    (root / "b.en.srt").write_text("1\n00:00:00,000 --> 00:00:00,300\npick it up\n")
    (root / "a.info.json").write_text(json.dumps(_YT_DLP))
    (root / "LICENSE").write_text("free\n")
    return {}


def _copied(path: Path, target: Path) -> None:
    """Contents only: the real recordings cannot be written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


SPECIMENS: dict[str, Writer] = {
    "agibot": _agibot,
    "aloha": _aloha,
    "droid_raw": _droid_raw,
    "ego4d": _ego4d,
    "egodex": _egodex,
    "epic_kitchens": _epic_kitchens,
    "fastumi": _fastumi,
    "hand_log": _hand_log,
    "hot3d": _hot3d,
    "lerobot/v2.0": _lerobot_v20,
    "lerobot/v2.1": _lerobot_v21,
    "lerobot/v3.0": _lerobot_v30,
    "lerobot/stills": _lerobot_stills,
    "rlds": _rlds,
    "robomimic": _robomimic,
    "ros_bag/bag1": _bag1,
    "ros_bag/db3": _db3,
    "ros_bag/mcap": _mcap,
    "ros_bag/foxglove": _foxglove,
    "ros_bag/video": _video_topic,
    "self_collected": _self_collected,
    "umi_json": _umi_json,
    "umi_session": _umi_session,
    "umi_zarr/zip": _umi_zip,
    "umi_zarr/folder": _umi_folder,
    "video_folder": _video_folder,
}


def format_of(name: str) -> str:
    """The format that a specimen is of."""
    return name.partition("/")[0]


def section(name: str, root: Path, real: Path) -> dict[str, Any]:
    """Write a specimen and return its whole recipe section."""
    root.mkdir(parents=True, exist_ok=True)
    stated = SPECIMENS[name](root, real)
    return {"format": format_of(name), **stated, "name": "specimen", "path": str(root), "card": CARD}
