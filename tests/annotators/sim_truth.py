"""Typed ground truth of the robosuite recordings, read off their contacts by the definitions of events.md."""

from pathlib import Path

import numpy as np

from pipeline.mask_runs import runs_of
from schemas.event import BoundaryKind

FPS = 20


def true_boundaries(folder: Path, name: str) -> list[tuple[BoundaryKind, float]]:
    """(kind, seconds) in time order; contacts shorter than 4 frames are debounced away."""
    with np.load(folder / f"{name}.npz") as data:
        held = data["contact_L"] & data["contact_R"]
        support, tool, height = data["support"], data["eef_pos"], data["obj_pos"][:, 2]
    velocity = np.gradient(tool, 1 / FPS, axis=0)
    speed = np.linalg.norm(velocity, axis=1)
    level = [run for run in runs_of((speed > 0.02) & (np.abs(velocity[:, 2]) < 0.5 * speed)) if run[1] - run[0] >= 4]
    holds = [run for run in runs_of(held) if run[1] - run[0] >= 4]
    found: list[tuple[BoundaryKind, int]] = []
    for k, (start, end) in enumerate(holds):
        lifted = start + int(np.flatnonzero(height[start:end] > height[start] + 0.01)[0])
        touching = [a for a, b in runs_of(support[:end]) if a > lifted]
        travel = [a for a, b in level if b > lifted and a < (touching[-1] if touching else end)]
        found += [(BoundaryKind.GRASP, start), (BoundaryKind.LIFT, lifted)]
        found += [(BoundaryKind.TRANSPORT, max(travel[0], lifted + 1))] if travel else []
        found += [(BoundaryKind.SUPPORT, touching[-1])] if touching else []
        slipped = not touching and k + 1 < len(holds)
        found.append((BoundaryKind.SLIP if slipped else BoundaryKind.RELEASE, end))
        away = np.flatnonzero(np.linalg.norm(tool[end:] - tool[end], axis=1) > 0.03)
        found += [(BoundaryKind.RETREAT, end + int(away[0]))] if away.size and not slipped else []
    return [(kind, frame / FPS) for kind, frame in found]
