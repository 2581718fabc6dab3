"""Draws what a fixed camera sees, fast enough for a CPU. Needs the simulators' environment (docs/sim_truth.md)."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np


class Eye:
    """Square pictures. One per process: a second renderer may draw into the first one's context."""

    def __init__(self, model: Any, size: int, camera: Any, hidden_groups: tuple[int, ...] = ()) -> None:
        model.vis.quality.offsamples = 0
        self._renderer = mujoco.Renderer(model, size, size)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._renderer.scene.flags[flag] = 0
        self._camera, self._option = camera, mujoco.MjvOption()
        for group in hidden_groups:
            self._option.geomgroup[group] = 0

    def look(self, data: Any) -> Any:
        """One picture uint8 [H, W, 3]."""
        self._renderer.update_scene(data, camera=self._camera, scene_option=self._option)
        return np.asarray(self._renderer.render()).copy()

    def close(self) -> None:
        """Free the context; left to the interpreter's end, EGL is gone before it."""
        self._renderer.close()


def camera_at(lookat: tuple[float, float, float], distance: float, azimuth: float, elevation: float) -> Any:
    """A camera of our own, where the model's are too far away."""
    camera = mujoco.MjvCamera()
    camera.type = mujoco.mjtCamera.mjCAMERA_FREE
    camera.lookat[:] = lookat
    camera.distance, camera.azimuth, camera.elevation = distance, azimuth, elevation
    return camera
