"""Made-up records for the tests of sync, cleaning and calibration: a robot that moves, and cameras that see it."""

import dataclasses
from pathlib import Path

import numpy as np

from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources import video_folder
from schemas.array import Bools, Floats, Ints
from schemas.episode import (
    ActionKind,
    ActionTrack,
    Alignment,
    Arm,
    ArmTrack,
    Camera,
    CameraRole,
    Episode,
    KeptRange,
    Protocol,
    SyncVerdict,
    VideoWindow,
)
from schemas.filmstrip import DESCRIPTOR_SIZE, FLOW_GRID, Filmstrip
from schemas.recipe import IngestSpec
from schemas.recipe_formats.video_folder import VideoFolderSource
from schemas.source import EpisodeRef, SourceKind
from schemas.source_card import SourceCard
from schemas.time import NS_PER_S

DURATION_S = 20.0


def even_times(n: int, hz: float) -> Ints:
    return np.round(np.arange(n) * NS_PER_S / hz).astype(np.int64)


def path_at(times_s: Floats, seed: int = 0) -> Floats:
    """A tool path in metres, float64 [T, 3]: smooth moves between random targets, with rests between them."""
    rng = np.random.default_rng(seed)
    position, t = rng.uniform(-0.3, 0.3, 3), 0.0
    out = np.tile(position, (len(times_s), 1))
    while t < DURATION_S + 2.0:
        target, length, rest = rng.uniform(-0.3, 0.3, 3), rng.uniform(0.5, 1.6), rng.uniform(0.1, 0.9)
        share = np.clip((times_s - t) / length, 0.0, 1.0)
        blend = share**3 * (10 - 15 * share + 6 * share * share)
        out += blend[:, None] * (target - position)
        position, t = target, t + length + rest
    return out


def make_camera(name: str = "main", n: int = 400, hz: float = 20.0) -> Camera:
    times_ns = even_times(n, hz)
    end_ns = round(n * NS_PER_S / hz)
    return Camera(name, CameraRole.THIRD_PERSON, VideoWindow(f"video/{name}", 0, 0, end_ns), 64, 48, times_ns, end_ns)


def make_episode(*cameras: Camera, kind: ActionKind = ActionKind.MEASURED, episode_id: str = "ep-1") -> Episode:
    return Episode(
        episode_id=episode_id,
        source="lab",
        kind=SourceKind.SELF_COLLECTED,
        dataset="lab",
        locator="episode_index=7",
        embodiment="test_arm",
        instruction="",
        protocol=Protocol.STRUCTURED,
        action_kind=kind,
        cameras=cameras,
        annotations=(),
        licence="MIT",
        consent="not stated",
    )


def make_strip(camera: Camera, motion: Floats | None = None, flags: Ints | None = None) -> Filmstrip:
    """A filmstrip whose flow and difference are ``motion`` [N] (how much changed since the frame before)."""
    n = camera.n_frames
    moved = np.ones(n) if motion is None else motion
    flow = np.zeros((n, FLOW_GRID, FLOW_GRID, 2), np.float32)
    flow[..., 0] = moved[:, None, None]
    return Filmstrip(
        episode_id="ep-1",
        camera=camera.name,
        luma=np.full(n, 100.0, np.float32),
        sharpness=np.full(n, 500.0, np.float32),
        difference=(20.0 * moved).astype(np.float32),
        flow=flow,
        descriptor=np.zeros((n, DESCRIPTOR_SIZE), np.uint8),
        flags=np.zeros(n, np.uint8) if flags is None else flags.astype(np.uint8),
    )


def seen_motion(camera: Camera, seed: int = 0, noise: float = 0.0) -> Floats:
    """How far the tool of `path_at` moved between consecutive frames, with relative noise."""
    step = np.diff(path_at(camera.times_ns / NS_PER_S, seed), axis=0)
    moved = np.concatenate([[0.0], np.linalg.norm(step, axis=1)])
    rng = np.random.default_rng(1000 + seed)
    return np.abs(moved + noise * np.mean(moved) * rng.standard_normal(len(moved)))


def make_arm(position: Floats | None = None, opening: Floats | None = None, arm: Arm = Arm.RIGHT) -> ArmTrack:
    single = None if position is None else position.astype(np.float32)
    return ArmTrack(arm, single, None, None if opening is None else opening.astype(np.float32), None, 0)


def make_actions(
    times_ns: Ints,
    *arms: ArmTrack,
    target: tuple[ArmTrack, ...] = (),
    joints: Floats | None = None,
    valid: Bools | None = None,
    episode_id: str = "ep-1",
) -> ActionTrack:
    return ActionTrack(
        episode_id=episode_id,
        kind=ActionKind.MEASURED,
        provenance="made up",
        times_ns=times_ns,
        valid=np.ones(len(times_ns), np.bool_) if valid is None else valid,
        state=arms,
        target=target,
        joint_names=() if joints is None else tuple(f"j{i}" for i in range(joints.shape[1])),
        joint_state=None if joints is None else joints.astype(np.float32).reshape(-1),
        joint_target=None,
    )


def moving_actions(lag_s: float = 0.0, hz: float = 50.0, noise_m: float = 0.0005, seed: int = 0) -> ActionTrack:
    """The robot of `path_at`, recorded for as long as the video but told ``lag_s`` too late."""
    times_ns = even_times(int(DURATION_S * hz), hz)
    position = path_at(times_ns / NS_PER_S - lag_s, seed)
    position = position + noise_m * np.random.default_rng(2000 + seed).standard_normal(position.shape)
    return make_actions(times_ns, make_arm(position))


def delayed(actions: ActionTrack, lag_s: float) -> ActionTrack:
    return dataclasses.replace(actions, times_ns=actions.times_ns + round(lag_s * NS_PER_S))


def make_alignment(episode_id: str = "ep-1", end_s: float = 1e4, offset_ns: int = 0) -> Alignment:
    kept = (KeptRange(0, round(end_s * NS_PER_S)),)
    return Alignment(episode_id, SyncVerdict.CONFIRMED, offset_ns, 0.9, 0.2, kept)


def simulated(real: Path, name: str) -> tuple[Episode, list[Filmstrip], ActionTrack]:
    """A simulated recording through the real ingest; its rows are its frames, so its true lag is 0."""
    folder = str(real / "sim")
    spec = VideoFolderSource(format="video_folder", name="sim", path=folder, card=SourceCard(licence="project"))
    files = SourceFiles(folder)
    refs = [ref for ref in video_folder.discover(spec, files, MemoryDigests()) if isinstance(ref, EpisodeRef)]
    ref = next(ref for ref in refs if name in ref.locator)
    records = list(ingest(ref, files, IngestSpec()))
    episode = next(record for record in records if isinstance(record, Episode))
    truth = np.load(real / "sim" / f"{name}.npz")
    actions = make_actions(episode.master.times_ns, make_arm(truth["eef_pos"]), joints=truth["joint_pos"])
    return episode, [record for record in records if isinstance(record, Filmstrip)], actions
