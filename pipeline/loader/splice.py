"""Events that adjoin, as one: what a window is made of that reaches over the edges of its event."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.loader.sample import EventSample


def spliced(parts: Sequence[EventSample], lengths_ns: Sequence[int]) -> EventSample:
    """The record and words of the part that lasts longest, with the rows, frame times and camera poses of all in order.

    Raises ValueError when the parts differ in cameras, embodiment or what their actions are.
    """
    if len(parts) == 1:
        return parts[0]
    own = parts[int(np.argmax(lengths_ns))]
    for name in ("embodiment", "action_kind"):
        found = {getattr(part, name) for part in parts}
        if len(found) > 1:
            raise ValueError(f"{name}: adjoining events have {sorted(found)}")
    cameras = [tuple(part.view_times_ns) for part in parts]
    if len(set(cameras)) > 1:
        raise ValueError(f"cameras: adjoining events have {sorted(set(cameras))}")
    times = {name: np.concatenate([part.view_times_ns[name] for part in parts]) for name in own.view_times_ns}
    return replace(
        own,
        view_times_ns=times,
        calib_json=json.dumps(_calibration([part.calibration() for part in parts], parts)).encode(),
        **{name: _joined([getattr(part, name) for part in parts]) for name in _ROWS},
    )


_ROWS = ("action_T20", "action_valid_T", "action_times_ns", "state_T20", "state_valid_T")


def _joined(arrays: Sequence[Any]) -> Any:
    return None if any(array is None for array in arrays) else np.concatenate(arrays)


def _calibration(found: Sequence[Mapping[str, Any]], parts: Sequence[EventSample]) -> dict[str, Any]:
    """The first part's, with the poses of all where a camera moves: one per frame of all clips."""
    cameras = dict(found[0].get("cameras", {}))
    for name, camera in cameras.items():
        others = [one.get("cameras", {}).get(name, {}).get("extrinsics") for one in found]
        if None in others or all(np.ndim(poses) == 2 for poses in others):
            continue
        poses = [
            np.broadcast_to(np.reshape(pose, (-1, 4, 4)), (len(part.view_times_ns[name]), 4, 4))
            for pose, part in zip(others, parts, strict=True)
        ]
        cameras[name] = {**camera, "extrinsics": np.concatenate(poses).tolist()}
    return {**found[0], "cameras": cameras}
