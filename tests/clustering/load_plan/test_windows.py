"""Windows: where they may lie, how often each kind comes, and that their tokens are what the trainer counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.load_plan.windows import EventSizes, action_rows, tokens, windows
from pipeline.loader.reader import ShardSet
from schemas.load_plan import WindowKind
from schemas.recipe_load import LoadSpec
from tests.pipeline.loader.conftest import blobs, filmed, folder, opened, published, written
from trainer.configs import tiny
from trainer.example import example_of, shown_whole

__all__ = ["blobs", "filmed", "folder", "opened", "published", "written"]


def sizes(frames: list[int], views: int = 2, rows: int = 40) -> EventSizes:
    n = len(frames)
    return EventSizes(np.array(frames, np.uint32), np.full(n, views, np.uint8), np.full(n, rows, np.uint32))


@given(st.lists(st.integers(5, 200), min_size=1, max_size=9), st.integers(5, 30), st.integers(0, 9), st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_windows_lie_where_their_kind_says(frames: list[int], shortest: int, seed: int, first: int) -> None:
    spec = LoadSpec(event_share=0.3, suffix_share=0.4, chunk_share=0.3, min_frames=shortest, chunk_frames=31, seed=seed)
    event = np.arange(200) % len(frames)
    found = windows(np.arange(first, first + 200), event, sizes(frames), spec)
    available = np.array(frames)[event]
    last = found.first_frame + found.n_frames
    assert np.all(found.first_frame >= 0)
    assert np.all(last <= available)
    whole, suffix, chunk = (found.kind == kind for kind in WindowKind)
    assert np.all(found.first_frame[whole] == 0)
    assert np.all(last[whole | suffix] == available[whole | suffix]), "the end is the event's"
    assert np.all(found.n_frames[suffix] >= shortest)
    assert np.all(found.n_frames[chunk] == 31)
    assert np.all(available[suffix] > shortest)
    assert np.all(available[chunk] > 31)
    again = windows(np.arange(first + 50, first + 60), event[50:60], sizes(frames), spec)
    assert again.first_frame.tolist() == found.first_frame[50:60].tolist(), "no draw depends on another"


def test_kinds_and_starts_come_as_often_as_they_should() -> None:
    spec = LoadSpec(event_share=0.2, suffix_share=0.5, chunk_share=0.3, chunk_frames=91)
    n = 60_000
    found = windows(np.arange(n), np.zeros(n, np.int64), sizes([100]), spec)
    shares = np.bincount(found.kind, minlength=3) / n
    np.testing.assert_allclose(shares, [0.2, 0.5, 0.3], atol=0.01)
    starts = np.bincount(found.first_frame[found.kind == WindowKind.SUFFIX], minlength=96)
    assert len(starts) == 96, "from the first frame to the last five"
    assert starts.min() > 0.7 * starts.mean()
    assert set(found.first_frame[found.kind == WindowKind.CHUNK]) == set(range(10))


def test_kinds_that_are_off_never_come() -> None:
    for key, kind in (("event_share", 0), ("suffix_share", 1), ("chunk_share", 2)):
        shares = dict.fromkeys(("event_share", "suffix_share", "chunk_share"), 0.0) | {key: 1.0}
        found = windows(np.arange(5000), np.zeros(5000, np.int64), sizes([99]), LoadSpec(**shares))
        assert np.all((found.kind == kind) | (found.first_frame == 0))
        assert np.mean(found.kind == kind) > 0.98


def test_tokens_of_whole_events_are_what_the_trainer_counts(opened: ShardSet) -> None:
    config, spec = tiny(), LoadSpec()
    for t, sample in opened.iterate("train"):
        stats = opened.stats(sample.statistics_group) if sample.anchor_20() is not None else None
        rows = 0 if sample.action_T20 is None else len(sample.action_T20)
        counted = tokens(np.array([sample.n_frames]), np.array([len(sample.views)]), np.array([rows]), spec)
        assert counted.tolist() == [example_of(shown_whole(sample, config.data), stats, config).n_tokens], t


def test_the_defaults_are_those_of_the_trainers_configuration() -> None:
    data, spec = tiny().data, LoadSpec()
    own = (spec.budget, spec.max_frames, spec.max_views, spec.max_actions)
    assert own == (data.token_budget, data.max_frames, data.max_views, data.max_actions)


@given(st.integers(0, 300), st.integers(5, 99), st.integers(0, 98), st.integers(1, 99))
def test_action_rows_of_a_part_are_enough_and_those_of_the_whole_exact(k: int, n: int, first: int, length: int) -> None:
    first = min(first, n - 1)
    length = min(length, n - first)
    (found,) = action_rows(*(np.array([value]) for value in (k, n, first, length))).tolist()
    inside = sum(first / n <= row / k < (first + length) / n for row in range(k)) if k else 0
    assert inside <= found <= inside + 2
    assert action_rows(np.array([k]), np.array([n]), np.array([0]), np.array([n])).tolist() == [k]


def test_no_window_has_more_tokens_than_the_section_says() -> None:
    spec = LoadSpec(max_frames=30, frames_per_latent=4, tokens_per_latent=7, max_views=3, max_actions=11)
    counted = tokens(np.arange(5, 300), np.full(295, 9), np.full(295, 500), spec)
    assert counted.max() == spec.most_tokens == 3 * 8 * 7 + 1 + 11


@pytest.mark.parametrize("views", [0, 1])
def test_an_event_without_actions_keeps_the_token_of_its_state(views: int) -> None:
    assert tokens(np.array([5]), np.array([views]), np.array([0]), LoadSpec()).tolist() == [views * 8 + 1]
