"""The toy codec: causal, fixed, and exact on what it can hold."""

import numpy as np
import pytest
import torch

from trainer.latents import decode, encode, latent_frames


def test_one_plus_four_n_frames_are_one_plus_n_latents() -> None:
    assert [latent_frames(n) for n in (1, 5, 9, 33, 65, 129)] == [1, 2, 3, 9, 17, 33]
    with pytest.raises(ValueError, match="found 8 frames, expected 1 \\+ 4N"):
        latent_frames(8)


def test_cells_of_one_colour_that_brighten_linearly_come_back_exactly() -> None:
    rng = np.random.default_rng(0)
    cells = rng.integers(30, 200, (9, 2, 3, 3))
    cells[1:] = cells[1::4].repeat(4, axis=0) + np.tile([0, 8, 16, 24], 2)[:, None, None, None]
    pixels = cells.repeat(8, axis=1).repeat(8, axis=2).astype(np.uint8)
    latents = encode(pixels)
    assert latents.shape == (3, 4, 2, 3)
    assert np.array_equal(decode(latents), pixels)


def test_the_first_latent_depends_on_the_first_frame_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (5, 8, 8, 3), np.uint8)
    changed = pixels.copy()
    changed[1:] = 0
    assert torch.equal(encode(pixels)[0], encode(changed)[0])
    assert not torch.equal(encode(pixels)[1], encode(changed)[1])


def test_pictures_that_are_not_whole_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="found pictures of 30×32"):
        encode(np.zeros((5, 30, 32, 3), np.uint8))
