"""Records move with everything in them."""

import pytest
import torch

from tests.trainer.events import example, noised
from trainer.device import to_device

META = torch.device("meta")


def test_every_tensor_of_a_batch_moves() -> None:
    batch, noise, _ = noised([example(views=2)], [0])
    moved = to_device(batch, META)
    assert moved.video.clean_TP.device == META
    assert moved.video.within.query_offsets.device == META
    assert moved.video.views is not None
    assert moved.video.views.order_U.device == META
    assert to_device(noise, META).action_sigma_D.device == META
    assert moved.n_events == batch.n_events


def test_what_is_no_record_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a record, found dict"):
        to_device({}, META)
