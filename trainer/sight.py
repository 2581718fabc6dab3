"""Which tokens of two cameras can show the same piece of the world: the sight-cone mask (wall_wm.md §3.2).

A token's patch is a cone: apex at the camera, axis through the patch's centre, just wide enough to hold the patch. Two
tokens of one latent frame may attend to each other when their cones come together between ``near`` and ``far``.
Training only: at run time every token sees all others, and no calibration is needed.

``cone``, the default, minimises the convex margin ‖p₁(t₁) − p₂(t₂)‖ − t₁·tan γ₁ − t₂·tan γ₂ over the whole box: points
of a patch's frustum lie within t·tan γ of its axis, so every pair of frusta that meet is found (recall 1), and some
that barely miss are let through. ``paper`` is the published test, which looks at one pair of depths and misses some.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from schemas.array import Floats

SightTest: TypeAlias = Literal["cone", "paper", "none"]
_SEARCH_STEPS = 40
_GOLDEN = (5**0.5 - 1) / 2
_SLACK = 1e-6
"""Of ``far``: what forty steps of golden section leave."""


@dataclass(frozen=True)
class SightConfig:
    """How far cones reach, and how wide they are made."""

    test: SightTest = "cone"
    near_m: float = 0.05
    far_m: float = 3.0
    scale: float = 1.0
    """l ≥ 1: cones this much wider than their patches."""


@dataclass(frozen=True, eq=False)
class Cones:
    """The cones of one view's patches at one instant, in world coordinates; float64."""

    apex_3: Floats
    axis_N3: Floats
    """Unit vectors."""
    tan_N: Floats
    """Tangent of the half-angle."""


def patch_cones(
    corners_N42: Floats, intrinsics_33: Floats, distortion: Floats | None, world_from_camera_44: Floats, scale: float
) -> Cones:
    """Cones of patches with these corners, in the pixels the intrinsics are in."""
    n = len(corners_N42)
    centres_N12 = corners_N42.mean(axis=1, keepdims=True)
    points = np.concatenate([centres_N12, corners_N42], axis=1).reshape(-1, 1, 2)
    ideal = cv2.undistortPoints(points, intrinsics_33, distortion).reshape(n, 5, 2)
    rays_N53 = np.concatenate([ideal, np.ones((n, 5, 1))], axis=2)
    rays_N53 /= np.linalg.norm(rays_N53, axis=2, keepdims=True)
    cosines_N4 = (rays_N53[:, 1:] @ rays_N53[:, 0, :, None])[..., 0]
    tan_N = scale * np.sqrt(np.maximum(1.0 / np.square(cosines_N4.min(axis=1)) - 1.0, 0.0))
    return Cones(world_from_camera_44[:3, 3], rays_N53[:, 0] @ world_from_camera_44[:3, :3].T, tan_N)


def sees(first: Cones, second: Cones, config: SightConfig) -> NDArray[np.bool_]:
    """Which patches of the first view meet which of the second, bool [N, M]."""
    pair = _Pair(
        first.apex_3 - second.apex_3,
        first.axis_N3[:, None],
        second.axis_N3[None],
        first.tan_N[:, None],
        second.tan_N[None],
        config,
    )
    return pair.meets_as_published() if config.test == "paper" else pair.meets()


@dataclass(frozen=True, eq=False)
class _Pair:
    """All pairs of two cameras' cones."""

    between_3: Floats
    """From the second apex to the first."""
    d1: Floats
    d2: Floats
    c1: Floats
    c2: Floats
    config: SightConfig

    def meets(self) -> NDArray[np.bool_]:
        """The least margin over near ≤ t₁, t₂ ≤ far is not positive."""
        near, far = self.config.near_m, self.config.far_m
        shape = np.broadcast_shapes(self.c1.shape, self.c2.shape)
        low, high = np.full(shape, near), np.full(shape, far)
        least = np.minimum(self._margin(low), self._margin(high))
        for _ in range(_SEARCH_STEPS):  # the margin, least over t₂, is convex in t₁
            left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
            at_left, at_right = self._margin(left), self._margin(right)
            least = np.minimum(least, np.minimum(at_left, at_right))
            low, high = np.where(at_left <= at_right, low, left), np.where(at_left <= at_right, right, high)
        found: NDArray[np.bool_] = least <= _SLACK * far
        return found

    def _margin(self, t1: Floats) -> Floats:
        """min over t₂ of ‖p₁(t₁) − p₂(t₂)‖ − t₁·c₁ − t₂·c₂, in closed form."""
        from_second = self.between_3 + t1[..., None] * self.d1
        along = (from_second * self.d2).sum(axis=-1)
        across = np.sqrt(np.maximum(np.square(from_second).sum(axis=-1) - along**2, 0.0))
        steep = np.minimum(self.c2, 1.0 - 1e-9)  # from 45° on the margin falls without end
        best = np.clip(along + across * steep / np.sqrt(1.0 - steep**2), self.config.near_m, self.config.far_m)
        found: Floats = np.hypot(across, best - along) - t1 * self.c1 - best * self.c2
        return found

    def meets_as_published(self) -> NDArray[np.bool_]:
        """Closest approach of the axes, clamped on the first and answered on the second (wall_wm.md §3.2)."""
        near, far = self.config.near_m, self.config.far_m
        cosine = (self.d1 * self.d2).sum(axis=-1)
        along_1, along_2 = (self.between_3 * self.d1).sum(axis=-1), (self.between_3 * self.d2).sum(axis=-1)
        parallel = 1.0 - cosine**2
        t1 = (cosine * along_2 - along_1) / np.maximum(parallel, 1e-12)
        t1 = np.clip(np.where(parallel > 1e-12, t1, near), near, far)
        from_second = self.between_3 + t1[..., None] * self.d1
        t2 = np.clip((from_second * self.d2).sum(axis=-1), near, far)
        distance = np.linalg.norm(from_second - t2[..., None] * self.d2, axis=-1)
        found: NDArray[np.bool_] = distance <= t1 * self.c1 + t2 * self.c2
        return found


def visible(views: Sequence[Cones | None], n_patches: int, config: SightConfig) -> Tensor:
    """The mask of one instant, bool [V·N, V·N], views in order. A view without calibration (None) sees all."""
    n = len(views)
    mask = np.ones((n, n_patches, n, n_patches), np.bool_)
    for i, first in enumerate(views):
        for j, second in enumerate(views[:i]):
            if first is not None and second is not None:
                pair = sees(first, second, config)
                if config.test == "paper":  # the published test asks from one side; a mask is symmetric
                    pair |= sees(second, first, config).T
                mask[i, :, j], mask[j, :, i] = pair, pair.T
    return torch.from_numpy(mask.reshape(n * n_patches, n * n_patches))
