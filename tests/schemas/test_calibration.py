"""A calibration belongs to a dataset and an embodiment and is asked for one arm at a time."""

import numpy as np

from schemas.calibration import Calibration, OpeningScale, calibration_group
from schemas.episode import Arm


def test_an_arm_without_a_scale_has_none() -> None:
    nothing = np.zeros(0, np.float32)
    left = OpeningScale(Arm.LEFT, "opening", 0.0, 1.0, True, nothing, nothing)
    calibration = Calibration(calibration_group("bench", "so101"), "bench", "so101", (left,))
    assert calibration.opening(Arm.LEFT) is left
    assert calibration.opening(Arm.RIGHT) is None


def test_embodiments_of_one_dataset_are_calibrated_apart() -> None:
    assert calibration_group("bench", "so101") != calibration_group("bench", "so100")
