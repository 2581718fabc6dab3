"""What a hand's landmarks say about its distance and its aperture."""

import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipeline.pseudo.hands import aperture, metres_to_widths
from tests.pipeline.pseudo.made_hands import hand


def test_a_hand_twice_as_far_is_half_as_large() -> None:
    assert metres_to_widths(hand(away_m=0.4)) == pytest.approx(1 / 0.4)
    assert metres_to_widths(hand(away_m=0.8)) == pytest.approx(1 / 0.8)


@pytest.mark.parametrize("angle", [0.0, 0.5, 1.2])
def test_a_hand_that_is_turned_away_is_no_further(angle: float) -> None:
    turned = Rotation.from_euler("y", angle).as_matrix()
    assert metres_to_widths(hand(away_m=0.4, turned=turned)) == pytest.approx(1 / 0.4)


def test_the_aperture_is_in_palm_lengths_however_far_and_however_turned() -> None:
    turned = Rotation.from_euler("xyz", [0.3, 0.9, -0.4]).as_matrix()
    for gap in (0.1, 0.7, 1.3):
        assert aperture(hand(gap=gap)) == pytest.approx(gap)
        assert aperture(hand(gap=gap, away_m=1.0, turned=turned)) == pytest.approx(gap)


def test_landmarks_in_one_point_say_nothing() -> None:
    flat = dataclasses.replace(hand(), shape=np.zeros((21, 3)))
    assert metres_to_widths(flat) == 0.0
    assert np.isnan(aperture(flat))
    assert metres_to_widths(dataclasses.replace(hand(), picture=np.full((21, 2), np.nan))) == 0.0
    assert metres_to_widths(dataclasses.replace(hand(), picture=-hand().picture)) == 0.0
