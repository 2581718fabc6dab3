"""Observation-centred windows: history is clean and uncounted, the index starts as nothing, look-ups are asymmetric."""

from dataclasses import replace

import pytest
import torch

from tests.trainer.events import example, lively, noised, sample, stats_of, talking
from trainer.batch import pack
from trainer.configs import tiny_language
from trainer.example import example_of, shown_whole
from trainer.model.window import WindowIndex


def test_history_is_clean_and_not_in_the_loss() -> None:
    event = replace(example(frames=17, views=2), history=2)
    batch, _, seen = noised([event, example(seed=1)], [0, 1])
    frame = batch.video.position_T3[:, 0]
    first = batch.video.event_T == 0
    past = (first & (frame <= 2)) | (~first & (frame == 0))
    assert torch.equal(batch.video.observed_T, past)
    assert not batch.video.mask_TP[past].any()
    assert batch.video.mask_TP[~past].all()
    assert torch.equal(seen.video_TP[past], batch.video.clean_TP[past])
    assert batch.video.window_T is not None
    assert batch.video.window_T[first].unique().tolist() == [-2, -1, 0, 1, 2]
    assert pack([example()]).video.window_T is None


def test_the_index_starts_as_nothing_and_then_tells_history_from_the_observation() -> None:
    model = lively(talking().model)
    assert model.window is not None
    index = model.window
    for table in (index.video, index.key, index.query):
        torch.nn.init.zeros_(table.weight)
    event = replace(example(frames=17), history=2)
    batch, _, seen = noised([event], [0])
    with torch.no_grad():
        before = model(batch, seen)
        index.key.weight[1] += 1.0
        past = model(batch, seen)
        index.key.weight[1] -= 1.0
        index.query.weight[1] += 1.0
        asks = model(batch, seen)
    assert torch.equal(before.video_TP, past.video_TP), "keys are the action tower's"
    assert before.action_SA is not None
    assert past.action_SA is not None
    assert asks.action_SA is not None
    assert not torch.allclose(before.action_SA, past.action_SA, atol=1e-5)
    assert not torch.allclose(before.action_SA, asks.action_SA, atol=1e-5)


def test_what_asks_has_no_past() -> None:
    index = WindowIndex(history=3, future=5, video_width=4, action_width=6)
    assert [len(table.weight) for table in (index.video, index.key, index.query)] == [9, 9, 6]
    assert all(not table.weight.any() for table in (index.video, index.key, index.query))
    with pytest.raises(ValueError, match="from -4 to 0, the model knows −3 … 5"):
        index.of_video(torch.tensor([-4, 0]))


def test_a_window_is_anchored_at_its_observation() -> None:
    event = sample(n_frames=33)
    config = replace(tiny_language(), stage="adapt")
    whole = example_of(shown_whole(event, config.data), stats_of(event), tiny_language())
    found = example_of(shown_whole(event, config.data), stats_of(event), config)
    assert (whole.history, found.history) == (0, 2)
    assert torch.equal(whole.latents_VFCHW, found.latents_VFCHW)
    assert found.tau_K[0] == 1
    assert found.tau_K[-1] == whole.latents_VFCHW.shape[1] - 1 - 2
    assert found.story is not None
    assert whole.story is not None
    assert whole.story.remaining_s == pytest.approx(3.3)
    assert found.story.remaining_s == pytest.approx(3.3 - 0.8)
    assert not torch.equal(found.state_A, whole.state_A), "the state is the observation's"
    stats = stats_of(event)
    start = stats.denormalise(found.actions_KA.numpy())[0, :3]
    assert abs(start).max() < 0.02, "displacements are from the observation's pose"


def test_a_short_window_keeps_one_latent_to_foresee() -> None:
    config = replace(tiny_language(), stage="adapt")
    for frames, history in ((5, 0), (9, 1), (13, 2), (33, 2)):
        event = sample(n_frames=frames)
        assert example_of(shown_whole(event, config.data), stats_of(event), config).history == history
