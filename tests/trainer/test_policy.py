"""A checkpoint acts by itself: examples as in training, actions in metres, and errors that say what is amiss."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.loader.decode import decode_clip
from tests.trainer.events import KNOWN, sample, small, stats_of
from tests.trainer.policies import body, checkpoint_in, observation
from trainer.example import example_of, shown_whole
from trainer.flow import Schedule, Sigmas
from trainer.length import length_of
from trainer.policy import Observation, WallWMPolicy, load_policy
from trainer.sampling import Sampling


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> WallWMPolicy:
    return load_policy(checkpoint_in(tmp_path_factory.mktemp("run")))


def test_before_an_event_the_model_is_shown_what_training_showed(policy: WallWMPolicy) -> None:
    event = sample()
    trained = example_of(shown_whole(event, policy.config.data), stats_of(event), policy.config)
    assert event.state_T20 is not None
    first = {camera: decode_clip(mp4)[0] for camera, mp4 in event.views.items()}
    seen = Observation(first, event.state_T20[0], event.state_known_20, event.caption)
    length = length_of(2.5, policy.embodiment.fps, policy.embodiment.control_hz, policy.config.data)
    example = policy.example(seen, length)
    assert torch.equal(example.latents_VFCHW[:, :1], trained.latents_VFCHW[:, :1])
    assert example.latents_VFCHW.shape == trained.latents_VFCHW.shape
    for name in ("state_A", "state_known_A", "action_known_A", "tau_K", "picture_VHW", "valid_K"):
        assert torch.equal(getattr(example, name), getattr(trained, name)), name
    assert (example.words, example.raw_frames, example.embodiment) == (trained.words, 25, trained.embodiment)
    assert not example.latents_VFCHW[:, 1:].any(), "nothing of the future"


def test_actions_are_in_the_recordings_units_and_in_their_time(policy: WallWMPolicy) -> None:
    chunk = policy.act(observation(), 1.0, seed=0)
    assert chunk.actions_20.shape == (20, 20)
    np.testing.assert_allclose(chunk.times_s, np.arange(20) / 20)
    assert chunk.duration_s == 1.0
    assert np.flatnonzero(chunk.known_20).tolist() == KNOWN
    assert not chunk.actions_20[:, ~chunk.known_20].any()
    normal = policy.embodiment.stats.normalise(chunk.actions_20)
    assert 0.1 < np.abs(normal[:, KNOWN]).mean() < 10


def test_the_same_seed_acts_the_same_and_another_one_otherwise(policy: WallWMPolicy) -> None:
    one, again, other = (policy.act(observation(), 1.0, seed).actions_20 for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_text_and_state_and_picture_all_matter(policy: WallWMPolicy) -> None:
    usual = observation()
    black = {**usual.pictures, "wrist": np.zeros_like(usual.pictures["wrist"])}
    moved = np.where(usual.state_known_20, usual.state_20 + 0.1, usual.state_20).astype(np.float32)
    changed = [replace(usual, text="drop it"), replace(usual, pictures=black), replace(usual, state_20=moved)]
    expected = policy.act(usual, 1.0, 0).actions_20
    for each in changed:
        assert np.abs(policy.act(each, 1.0, 0).actions_20 - expected).max() > 1e-5


def test_what_the_embodiment_lacks_may_be_anything(policy: WallWMPolicy) -> None:
    usual = observation()
    odd = np.where(usual.state_known_20, usual.state_20, np.nan).astype(np.float32)
    turned = dict(reversed([*usual.pictures.items(), ("ceiling", np.zeros((8, 8, 3), np.uint8))]))
    chunk = policy.act(replace(usual, state_20=odd, pictures=turned), 1.0, 0)
    assert np.array_equal(chunk.actions_20, policy.act(usual, 1.0, 0).actions_20)


def test_the_video_is_imagined_when_asked_for(policy: WallWMPolicy) -> None:
    for sampling in (Sampling(steps=2, video=True), Sampling("asymmetric", steps=2, video=True)):
        video = policy.act(observation(size=48), 1.0, 0, sampling=sampling).video
        assert video is not None
        assert {camera: frames.shape for camera, frames in video.items()} == {
            "front": (9, 32, 32, 3), "wrist": (9, 32, 32, 3),
        }  # fmt: skip
    assert policy.act(observation(), 1.0, 0).video is None


def test_a_text_embedded_once_acts_as_the_text_does(policy: WallWMPolicy) -> None:
    usual = observation("lift the cup")
    embedded = replace(usual, text="", text_SC=policy.embed("lift the cup"))
    np.testing.assert_allclose(policy.act(embedded, 1.0, 0).actions_20, policy.act(usual, 1.0, 0).actions_20, atol=1e-6)
    with pytest.raises(ValueError, match="text: found vectors of shape"):
        policy.act(replace(usual, text_SC=torch.zeros(3, 5)), 1.0, 0)


def test_the_sampler_is_the_one_the_model_was_trained_for(tmp_path: Path) -> None:
    assert load_policy(checkpoint_in(tmp_path / "one")).sampling.mode == "symmetric"
    apart = replace(small(), schedule=Schedule(Sigmas("anchor", level=0.5), Sigmas("beta"), 2))
    found = load_policy(checkpoint_in(tmp_path / "two", apart)).sampling
    assert (found.mode, found.anchor) == ("asymmetric", 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pictures": {"front": np.zeros((8, 8, 3), np.uint8)}}, "camera 'wrist' is missing, found"),
        ({"pictures": dict.fromkeys(("front", "wrist"), np.zeros((8, 8, 3)))}, "'front' is float64"),
        ({"pictures": dict.fromkeys(("front", "wrist"), np.zeros((8, 8), np.uint8))}, r"'front' is uint8 \[8, 8\]"),
        ({"pictures": dict.fromkeys(("front", "wrist"), np.zeros((0, 8, 3), np.uint8))}, r"uint8 \[0, 8, 3\]"),
        ({"state_20": np.zeros(7, np.float32)}, r"state: found shapes \[7\]"),
        ({"state_20": np.full(20, np.nan, np.float32)}, "state: column 0 is nan though said to be known"),
    ],
)
def test_an_observation_that_cannot_be_used_is_refused(
    policy: WallWMPolicy, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        policy.act(replace(observation(), **change), 1.0, 0)  # type: ignore[arg-type]


def test_a_body_has_to_be_chosen_among_several(tmp_path: Path) -> None:
    found = checkpoint_in(tmp_path, embodiment=body())
    assert load_policy(found, embodiment="arm").embodiment.group == "arm"
    with pytest.raises(ValueError, match=r"no embodiment 'leg'.*\['arm'\]"):
        load_policy(found, embodiment="leg")
