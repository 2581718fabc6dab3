"""An array field takes what it declares and nothing that only looks like it."""

import numpy as np
import pytest

from schemas.array import ArraySpec


def test_a_free_axis_takes_any_length_and_a_fixed_one_only_its_own() -> None:
    spec = ArraySpec("float32", "T", 3)
    assert spec.check("position", np.zeros((0, 3))).shape == (0, 3)
    with pytest.raises(ValueError, match=r"^position: found shape \(4, 2\), expected \('T', 3\)$"):
        spec.check("position", np.zeros((4, 2)))


def test_a_scalar_is_no_array() -> None:
    with pytest.raises(ValueError, match=r"found shape \(\), expected \('N',\)"):
        ArraySpec("int64", "N").check("times_ns", np.array(3))


def test_floats_are_never_taken_for_times() -> None:
    with pytest.raises(ValueError, match=r"^times_ns: found float64 values, expected int64$"):
        ArraySpec("int64", "N").check("times_ns", np.array([0.0, 1.0]))


def test_integers_do_not_wrap_around() -> None:
    with pytest.raises(ValueError, match=r"^flags: found values from -1 to 300, expected uint8$"):
        ArraySpec("uint8", "N").check("flags", np.array([-1, 300]))
    assert ArraySpec("uint8", "N").check("flags", np.array([0, 255])).dtype == np.uint8


def test_floats_are_stored_in_the_declared_precision() -> None:
    assert ArraySpec("float32", "N").check("luma", np.array([0.1, np.nan])).dtype == np.float32


def test_only_the_first_axis_may_be_free() -> None:
    with pytest.raises(TypeError, match="only the first dimension may be free"):
        ArraySpec("float32", "T", "J")
