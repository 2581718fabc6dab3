"""Which pictures an event gets: those that start inside its span, in every view, and no others."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.cut import STAGE, CutSlice, cut, slots_of
from pipeline.errors import SourceError
from pipeline.loader.decode import decode_clip
from pipeline.sources.reference import metadata_of
from pipeline.stage import Bundle
from schemas.episode import Camera, Episode
from schemas.event import Event, Level
from schemas.recipe import ClipSpec
from schemas.shard import Clip
from schemas.source import SourceFile, SourceKind, make_ref
from tests.pipeline.shards import corpus
from tests.pipeline.sources.one_episode import spec_of

SPEC = CutSlice(clip=ClipSpec(short_side=48, crf=8), level=Level.ACTION, captions_move_events=False)


def cut_all(episode: Episode, events: list[Event], folder: Path, spec: CutSlice = SPEC) -> list[Clip]:
    return list(cut(episode, events, spec, lambda view: corpus.frames(view, folder)))


def numbers(clip: Clip) -> list[int]:
    """The frame numbers a clip shows, read from its brightness."""
    levels = decode_clip(clip.mp4).mean(axis=(1, 2, 3))
    known = np.array([corpus.brightness(i) for i in range(corpus.N_FRAMES)])
    return [int(np.argmin(np.abs(known - level))) for level in levels]


def test_the_master_view_has_exactly_the_frames_of_the_span(tmp_path: Path) -> None:
    episode = corpus.episode(0)
    events = corpus.tree(episode, None)
    spans = {event.event_id: event.span for event in events}
    master = [clip for clip in cut_all(episode, events, tmp_path) if clip.camera == episode.master.name]
    assert len(master) == 4
    for clip in master:
        span = spans[clip.event_id]
        assert numbers(clip) == list(range(span.frame_start, span.frame_end))
        assert clip.n_frames == span.n_frames
        assert clip.times_ns.tolist() == [i * corpus.FRAME_NS for i in range(span.frame_start, span.frame_end)]


def test_other_views_give_the_frames_that_start_inside_the_span(tmp_path: Path) -> None:
    episode = corpus.episode(0)
    events = {event.event_id: event for event in corpus.tree(episode, None)}
    wrist = [clip for clip in cut_all(episode, list(events.values()), tmp_path) if clip.camera == "wrist"]
    times = episode.cameras[1].times_ns
    for clip in wrist:
        span = events[clip.event_id].span
        inside = np.flatnonzero((times >= span.start_ns) & (times < span.end_ns))
        assert numbers(clip) == inside.tolist()
        assert clip.times_ns.tolist() == times[inside].tolist()
    assert sum(clip.n_frames for clip in wrist) == len(times), "every frame is in exactly one clip"


def test_a_view_that_shows_nothing_of_an_event_gives_no_clip(tmp_path: Path) -> None:
    episode = corpus.episode(0)
    events = corpus.tree(episode, None, cuts=(0, 5, 40))
    early = next(event for event in events if event.level is Level.ACTION and event.span.frame_end == 5)
    found = [clip.camera for clip in cut_all(episode, events, tmp_path) if clip.event_id == early.event_id]
    assert found == [episode.master.name]


def test_each_view_is_decoded_once_and_only_as_far_as_needed(tmp_path: Path) -> None:
    episode = corpus.episode(0)
    decoded: dict[str, int] = {}

    def counted(view: Camera) -> Iterator[tuple[int, av.VideoFrame]]:
        assert view.name not in decoded
        decoded[view.name] = 0
        for item in corpus.frames(view, tmp_path):
            decoded[view.name] += 1
            yield item

    list(cut(episode, corpus.tree(episode, None, cuts=(3, 12, 20)), SPEC, counted))
    assert decoded == {episode.master.name: 20, "wrist": 10}


def test_only_events_of_the_sample_level_are_cut(tmp_path: Path) -> None:
    episode = corpus.episode(0)
    task = CutSlice(clip=SPEC.clip, level=Level.TASK, captions_move_events=False)
    found = cut_all(episode, corpus.tree(episode, None), tmp_path, task)
    assert [clip.n_frames for clip in found] == [40, 20]


def test_a_dropped_episode_is_not_even_opened() -> None:
    episode = corpus.episode(0)
    assert list(cut(episode, [], SPEC, lambda view: pytest.fail(f"opened {view.name}"))) == []


def test_frames_elsewhere_than_ingest_saw_them_are_refused(tmp_path: Path) -> None:
    episode = corpus.episode(0)
    times = episode.master.times_ns.copy()
    times[7] += 1
    moved = dataclasses.replace(
        episode, cameras=(dataclasses.replace(episode.master, times_ns=times), *episode.cameras[1:])
    )
    with pytest.raises(SourceError, match=r"Top: frame 7 is stamped 350000000 ns, ingest saw 350000001"):
        list(cut(moved, corpus.tree(episode, None), SPEC, lambda view: corpus.frames(view, tmp_path)))


def test_a_lost_first_frame_does_not_shift_the_labels(tmp_path: Path) -> None:
    episode = corpus.episode(0)
    with pytest.raises(SourceError, match="frame 0 is stamped 50000000 ns, ingest saw 0 ns"):
        list(cut(episode, corpus.tree(episode, None), SPEC, lambda view: list(corpus.frames(view, tmp_path))[1:]))


def test_a_video_that_became_shorter_is_refused(tmp_path: Path) -> None:
    episode = corpus.episode(0)
    with pytest.raises(SourceError, match=r"ends before frame 30, ingest saw 40"):
        list(cut(episode, corpus.tree(episode, None), SPEC, lambda view: list(corpus.frames(view, tmp_path))[:30]))


def test_slots_tile_what_the_events_tile() -> None:
    episode = corpus.episode(0)
    samples = sorted((e for e in corpus.tree(episode, None) if e.level is Level.ACTION), key=lambda e: e.span)
    assert [(slot.first, slot.last) for slot in slots_of(episode.master, samples)] == [
        (0, 9),
        (9, 20),
        (20, 31),
        (31, 40),
    ]


def test_the_stage_reads_the_source_it_is_pointed_to(tmp_path: Path) -> None:
    episode = corpus.episode(0)
    for view in episode.cameras:
        list(corpus.frames(view, tmp_path))
    files = tuple(SourceFile(view.video.part, f"{view.name}.mp4", "0" * 64, 1) for view in episode.cameras)
    ref = make_ref(
        source="bench",
        kind=SourceKind.OPEN_ROBOT,
        dataset="bench",
        embodiment="arm7",
        locator=episode.locator,
        root=str(tmp_path),
        files=files,
        metadata=metadata_of(spec_of(), {}),
    )
    events = corpus.tree(episode, None)
    found = list(STAGE.run(Bundle(item="e", ref=ref, records={Episode: [episode], Event: events}), SPEC))
    again = cut_all(episode, events, tmp_path)
    assert [clip.sha256 for clip in found if isinstance(clip, Clip)] == [clip.sha256 for clip in again]
