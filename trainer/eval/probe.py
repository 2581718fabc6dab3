"""What a frozen video tower knows of space: linear probes for depth, points and the camera's way (wall_wm.md §3.10).

Features are what leaves a block of the tower when it sees a clip slightly noised, nothing else of the model. On them a
ridge regression, the smallest probe there is, predicts three things, each scored on clips it has not seen:

- depth: of places inside each token's patch; mean |d̂ − d| ÷ d;
- points: the same places in the frame of the clip's first camera; mean ‖p̂ − p‖ ÷ mean ‖p‖;
- pose: each latent frame's camera relative to the first; AUC@5 and AUC@30: the area under the share of frames whose
  rotation *and* direction of movement are both right to within that many degrees.

Which block and how strong a ridge is decided on clips of their own. A number means something beside the other rows
only: the mean of each place, which knows where tables are; raw pixels; and the same tower with random weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from pipeline.loader.decode import Pixels
from schemas.array import Floats
from trainer.batch import PATCH, Example, pack
from trainer.captions import NO_WORDS
from trainer.codec import CodecConfig
from trainer.configs import TrainConfig
from trainer.eval.predictors import generator_for
from trainer.flow import observe
from trainer.inputs import Inputs
from trainer.model.language import NO_CAPTION
from trainer.model.wam import WallWM

SAMPLES = 4
"""Places per token and axis at which depth is asked for."""
RIDGES = tuple(10.0**power for power in range(-8, 5))
_POOLED = 2
"""Per axis: places a frame is averaged to for the camera's pose."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A clip whose geometry is known."""

    name: str
    pixels: Pixels
    """RGB uint8 [1 + 4N, H, W, 3] of the canvas's size."""
    depth_FNG: Floats
    """Metres along the axis, by latent frame, token (row by row) and place inside its patch (row by row)."""
    points_FNG3: Floats
    """The same places in the first frame's camera, metres."""
    first_from_camera_F44: Floats


@dataclass(frozen=True)
class Probed:
    """Scores of one kind of features."""

    depth: float
    point: float
    auc_5: float
    auc_30: float
    block: int | None
    """From 1: the block whose features did best on the clips kept for choosing; None where there is only one kind."""


Features = Sequence[Floats]
"""Per clip, float64 [F, N, D]."""


def example_of(scene: Scene, config: TrainConfig, inputs: Inputs) -> Example:
    """A clip without words, state or actions."""
    dims = config.model.action.dims
    zeros, unknown, none = torch.zeros(dims), torch.zeros(dims, dtype=torch.bool), torch.zeros(0, dtype=torch.int64)
    codes, reader = inputs.codec.encode(scene.pixels)[None], inputs.reader
    shown = torch.ones(1, *codes.shape[-2:], dtype=torch.bool)
    return Example(
        event_id=scene.name,
        embodiment="",
        latents_VFCHW=codes,
        picture_VHW=shown,
        words=(NO_CAPTION,) if reader is None else (),
        raw_frames=len(scene.pixels),
        state_A=zeros,
        state_known_A=unknown,
        actions_KA=torch.zeros(0, dims),
        action_known_A=unknown,
        valid_K=none.bool(),
        tau_K=none,
        features=None if reader is None else reader.read(NO_WORDS),
    )


@torch.no_grad()
def tower_features(
    model: WallWM, scenes: Sequence[Scene], config: TrainConfig, sigma: float, inputs: Inputs | None = None
) -> list[Features]:
    """By block, what leaves it for every clip at noise level σ; each clip's noise is its own."""
    by_block: list[list[Floats]] = []
    for scene in scenes:
        batch = pack([example_of(scene, config, inputs or Inputs())])
        clean_TP, level_E = batch.video.clean_TP, torch.tensor([sigma])
        eps_TP = torch.randn(clean_TP.shape, generator=generator_for(0, scene.name))
        seen = observe(batch, (1 - sigma) * clean_TP + sigma * eps_TP, batch.action.clean_SA, level_E, level_E)
        watched = model.watch(batch, seen.video_TP, seen.video_sigma_R)
        by_block = by_block or [[] for _ in watched.states]
        frames = config.data.codec.latent_frames(len(scene.pixels))
        for own, state_TD in zip(by_block, watched.states, strict=True):
            own.append(state_TD.double().numpy().reshape(frames, -1, state_TD.shape[1]))
    return list(by_block)


def pixel_features(scenes: Sequence[Scene], codec: CodecConfig) -> Features:
    """Every token's patch of the last picture of its latent frame, as it is."""
    side, found = PATCH * codec.space_stride, []
    for scene in scenes:
        shown = scene.pixels[:: codec.time_stride].astype(np.float64) / 255.0
        frames, height, width, _ = shown.shape
        rows, columns = height // side, width // side
        grid = shown.reshape(frames, rows, side, columns, side, 3).transpose(0, 1, 3, 2, 4, 5)
        found.append(grid.reshape(frames, rows * columns, -1))
    return found


def no_features(scenes: Sequence[Scene]) -> Features:
    """Nothing: what is left is the mean of each place."""
    return [np.zeros((*scene.depth_FNG.shape[:2], 1)) for scene in scenes]


def probe(
    fit: tuple[Sequence[Scene], Sequence[Features]],
    choose: tuple[Sequence[Scene], Sequence[Features]],
    judge: tuple[Sequence[Scene], Sequence[Features]],
) -> Probed:
    """Fit on the first clips, choose block and ridge on the second, judge on the third. Features are lists by block."""
    chosen = {
        task: min(
            (
                (_error(task, choose[0], solved.predict(_inputs(task, choose[1][block]))), block, solved)
                for block, of_block in enumerate(fit[1])
                for solved in ridges(_inputs(task, of_block), _targets(task, fit[0]))
            ),
            key=lambda one: one[:2],
        )
        for task in ("depth", "point", "pose")
    }
    said = {task: solved.predict(_inputs(task, judge[1][block])) for task, (_, block, solved) in chosen.items()}
    degrees = _pose_errors(said["pose"], judge[0])
    return Probed(
        depth=_error("depth", judge[0], said["depth"]),
        point=_error("point", judge[0], said["point"]),
        auc_5=auc(degrees, 5.0),
        auc_30=auc(degrees, 30.0),
        block=chosen["depth"][1] + 1 if len(fit[1]) > 1 else None,
    )


def _inputs(task: str, features: Features) -> Floats:
    """Rows to regress from: a token with its place, or a frame beside the first, averaged to a few places."""
    if task == "pose":
        return np.concatenate([_beside_first(own) for own in features])
    n_tokens = features[0].shape[1]
    places = np.eye(n_tokens)
    rows = [np.concatenate([own, np.broadcast_to(places, (len(own), *places.shape))], axis=2) for own in features]
    return np.concatenate([own.reshape(-1, own.shape[2]) for own in rows])


def _beside_first(features_FND: Floats) -> Floats:
    frames, tokens, width = features_FND.shape
    side = round(tokens**0.5)
    if side * side == tokens and side > _POOLED and side % _POOLED == 0:
        part = side // _POOLED
        grid = features_FND.reshape(frames, _POOLED, part, _POOLED, part, width).mean(axis=(2, 4))
    else:
        grid = features_FND
    flat = grid.reshape(frames, -1)
    joined: Floats = np.concatenate([flat[1:], np.broadcast_to(flat[:1], flat[1:].shape)], axis=1)
    return joined


def _targets(task: str, scenes: Sequence[Scene]) -> Floats:
    if task == "depth":
        depth: Floats = np.concatenate([scene.depth_FNG.reshape(-1, scene.depth_FNG.shape[2]) for scene in scenes])
        return np.asarray(np.log(depth))
    if task == "point":
        return np.concatenate([scene.points_FNG3.reshape(-1, scene.points_FNG3.shape[2] * 3) for scene in scenes])
    return np.concatenate([motion_6(scene.first_from_camera_F44[1:]) for scene in scenes])


def motion_6(poses_F44: Floats) -> Floats:
    """Rotation vector and way [F, 6]."""
    turns = np.asarray(Rotation.from_matrix(poses_F44[:, :3, :3]).as_rotvec())
    return np.concatenate([turns, poses_F44[:, :3, 3]], axis=1)


def _error(task: str, scenes: Sequence[Scene], said: Floats) -> float:
    true = _targets(task, scenes)
    if task == "depth":
        return float(np.mean(np.abs(np.expm1(said - true))))
    if task == "point":
        apart = np.linalg.norm((said - true).reshape(-1, 3), axis=1)
        return float(apart.mean() / np.linalg.norm(true.reshape(-1, 3), axis=1).mean())
    return -auc(_pose_errors(said, scenes), 30.0)


def _pose_errors(said_6: Floats, scenes: Sequence[Scene]) -> Floats:
    """Degrees by which rotation or direction is wrong, whichever is more."""
    true = np.concatenate([scene.first_from_camera_F44[1:] for scene in scenes])
    turns = Rotation.from_matrix(true[:, :3, :3]).inv() * Rotation.from_rotvec(said_6[:, :3])
    way, meant = said_6[:, 3:], true[:, :3, 3]
    lengths = np.maximum(np.linalg.norm(way, axis=1) * np.linalg.norm(meant, axis=1), 1e-12)
    direction = np.degrees(np.arccos(np.clip((way * meant).sum(axis=1) / lengths, -1.0, 1.0)))
    worse: Floats = np.maximum(np.degrees(turns.magnitude()), direction)
    return worse


def auc(degrees: Floats, limit: float) -> float:
    """Area under the share of errors below t, for t from 0 to the limit, over the limit: mean (1 − e/limit)₊."""
    return float(np.clip(1.0 - degrees / limit, 0.0, None).mean())


@dataclass(frozen=True, eq=False)
class Solved:
    """A ridge regression."""

    mean_D: Floats
    scale_D: Floats
    weights_DY: Floats
    offset_Y: Floats

    def predict(self, inputs_ND: Floats) -> Floats:
        found: Floats = ((inputs_ND - self.mean_D) / self.scale_D) @ self.weights_DY + self.offset_Y
        return found


def ridges(inputs_ND: Floats, targets_NY: Floats) -> list[Solved]:
    """One regression per strength of `RIDGES`, from one decomposition; inputs standardised, targets centred."""
    mean, scale = inputs_ND.mean(axis=0), inputs_ND.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    offset = targets_NY.mean(axis=0)
    left, singular, right = np.linalg.svd((inputs_ND - mean) / scale, full_matrices=False)
    turned = left.T @ (targets_NY - offset)
    n = len(inputs_ND)
    return [
        Solved(mean, scale, right.T @ (turned * (singular / (singular**2 + n * ridge))[:, None]), offset)
        for ridge in RIDGES
    ]


def markdown(rows: Mapping[str, Probed]) -> str:
    """The table people read."""
    lines = ["| features | depth error | point error | AUC@5 | AUC@30 | block |", "|---|---|---|---|---|---|"]
    for name, own in rows.items():
        numbers = f"{own.depth:.4f} | {own.point:.4f} | {own.auc_5:.3f} | {own.auc_30:.3f} | {own.block or '–'}"
        lines.append(f"| {name} | {numbers} |")
    return "\n".join(lines) + "\n"
