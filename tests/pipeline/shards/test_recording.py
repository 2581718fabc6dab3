"""Putting an episode's records together: by id, never by position, and on one clock."""

import dataclasses

import pytest

from pipeline.errors import JoineryError
from pipeline.shards.recording import Recording, recordings_of
from tests.pipeline.shards import corpus
from tests.pipeline.shards.corpus import Corpus


def together(of: Corpus) -> dict[str, Recording]:
    return recordings_of(
        episodes=of.episodes,
        alignments=of.alignments,
        tracks=of.tracks,
        calibrations=of.calibrations,
        events=of.events,
        assignments=of.assignments,
    )


def test_records_find_their_episode_whatever_their_order(filmed: Corpus) -> None:
    shuffled = dataclasses.replace(
        filmed, episodes=filmed.episodes[::-1], alignments=filmed.alignments[::2] + filmed.alignments[1::2]
    )
    there, back = together(filmed), together(shuffled)
    for name, recording in there.items():
        assert recording.episode.episode_id == name == back[name].episode.episode_id
        assert {event.episode_id for event in recording.events.values()} == {name}
        assert set(recording.assignments) <= set(recording.events)
        assert back[name].alignment.episode_id == name


def test_actions_are_moved_onto_the_video_clock(filmed: Corpus) -> None:
    late = dataclasses.replace(filmed, alignments=tuple(corpus.alignment(of, 7_000_000) for of in filmed.episodes))
    found = together(late)[filmed.episodes[0].episode_id]
    assert found.control.times_ns[:2].tolist() == [7_000_000, 27_000_000]


def test_an_episode_without_actions_is_a_recording_too(filmed: Corpus) -> None:
    assert together(filmed)[filmed.episodes[2].episode_id].actions is None


def test_what_is_missing_is_named(filmed: Corpus) -> None:
    with pytest.raises(JoineryError, match=r"episode_index=2\): no calibration of bench/none"):
        together(dataclasses.replace(filmed, calibrations=filmed.calibrations[:1]))
    with pytest.raises(JoineryError, match="no alignment"):
        together(dataclasses.replace(filmed, alignments=()))
