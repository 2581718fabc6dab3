"""Stage ``shard``: one tar of samples in drawing order, with the manifest rows and statistics that belong to it.

The order was fixed by the schedule, the clips were encoded by ``cut``; what is left is arranging bytes. The tar
is named by its work key and published (linked under its plain name) only as part of a whole set.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from pipeline.blobs import Blobs
from pipeline.errors import JoineryError
from pipeline.loader.sample import VIDEO_SUFFIX, EventSample, anchor_of
from pipeline.shards.members import Sample, clips_of, sample_members
from pipeline.shards.ranges import member_ranges
from pipeline.shards.recording import Recording, recordings_of
from pipeline.shards.sketch import sketch
from pipeline.shards.tar import TarStream, sample_bytes
from pipeline.stage import Bundle, Match, Read, Scope, Stage
from schemas.array import Bools, Floats
from schemas.calibration import Calibration
from schemas.cluster import Assignment
from schemas.displacement import relative_to
from schemas.episode import ActionTrack, Alignment, Episode
from schemas.event import Event, RecoveryKind
from schemas.plan import Draw
from schemas.recipe_section import Section
from schemas.shard import Clip, ShardEntry, ShardFile, ShardStatistics, statistics_group
from schemas.source import SourceKind

TARS = "tars"
ACTION_RELATIVE, STATE = "action_relative", "state"


class ShardSlice(Section):
    """Nothing: order and size come with the draws, encoding with the clips."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Control rows of one sample: float32 [T, 20] and which of the numbers count, bool [T, 20]."""

    values: Floats
    counted: Bools


def write_shard(
    draws: Sequence[Draw],
    recordings: Mapping[str, Recording],
    clips: Iterable[Clip],
    *,
    blobs: Blobs,
    path: str,
) -> list[object]:
    """Write the tar of ``draws`` (sorted by position) at ``path``; returns its ShardFile, entries and statistics.

    Raises JoineryError naming the event whose recording or clips are not there.
    """
    samples = _samples(draws, recordings, clips)
    written: list[tuple[ShardFile, list[ShardEntry]]] = []
    blobs.put(path, lambda stream: written.append(_write(draws[0], samples, stream, path)))
    file, entries = written[0]
    return [file, *entries, *_statistics(draws, recordings)]


def _samples(draws: Sequence[Draw], recordings: Mapping[str, Recording], clips: Iterable[Clip]) -> Iterator[Sample]:
    clips_by_event: dict[str, dict[str, Clip]] = {}
    for clip in clips:
        clips_by_event.setdefault(clip.event_id, {})[clip.camera] = clip
    for draw in draws:
        recording = recordings.get(draw.episode_id)
        if recording is None or draw.event_id not in recording.events:
            raise JoineryError(
                f"{draw.shard}: draw {draw.t} is {draw.event_id} of {draw.episode_id}, which is not among the inputs; "
                "the plan is older than the events: run again"
            )
        event = recording.events[draw.event_id]
        own = clips_of(event, recording, clips_by_event.get(draw.event_id, {}))
        yield Sample(draw, event, recording, own)


def _write(first: Draw, samples: Iterable[Sample], stream: BinaryIO, path: str) -> tuple[ShardFile, list[ShardEntry]]:
    writer = TarStream(stream)
    entries = []
    for sample in samples:
        data = sample_bytes(sample.key, sample_members(sample))
        entries.append(_entry(sample, writer.add(data), data))
    sha256 = writer.finish()
    return ShardFile(first.shard, path, first.split, len(entries), writer.n_bytes, sha256), entries


def _entry(sample: Sample, offset: int, data: bytes) -> ShardEntry:
    draw, event, recording = sample.draw, sample.event, sample.recording
    span, assignment = event.span, recording.assignments.get(event.event_id)
    pictures = {
        f"{recording.views[clip.camera]}{VIDEO_SUFFIX}": (clip.n_frames, clip.width, clip.height)
        for clip in sample.clips
    }
    return ShardEntry(
        shard=draw.shard,
        key=sample.key,
        event_id=draw.event_id,
        episode_id=draw.episode_id,
        source=recording.episode.source,
        split=draw.split,
        t=draw.t,
        offset=offset,
        n_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        members=tuple(member_ranges(data, offset, pictures, sample.key)),
        n_frames=span.n_frames,
        n_action_rows=span.n_actions,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        vision_language=draw.vision_language,
        action=draw.action,
        tail=assignment is not None and assignment.tail,
        recovery=recording.episode.kind is SourceKind.RECOVERY or event.recovery is not RecoveryKind.NONE,
        target_share=draw.target_share,
        realised_share=None,
        repeat=draw.repeat,
        repeat_cap=draw.repeat_cap,
        verb=str(event.verb),
        licence=recording.episode.licence,
    )


def _statistics(draws: Sequence[Draw], recordings: Mapping[str, Recording]) -> list[ShardStatistics]:
    """Of the rows as drawn, repeats counted: that is what a trainer sees."""
    parts = []
    for draw in draws:
        recording = recordings[draw.episode_id]
        group = statistics_group(recording.episode.embodiment, recording.episode.action_kind)
        parts.append((group, _rows_of(recording, recording.events[draw.event_id])))
    return _sketched(draws[0].shard, draws[0].split, parts)


def sample_statistics(shard: str, split: str, samples: Iterable[EventSample]) -> list[ShardStatistics]:
    """The same, from samples as they stand in a tar."""
    return _sketched(shard, split, [(sample.statistics_group, _rows_in(sample)) for sample in samples])


def _sketched(shard: str, split: str, parts: Iterable[tuple[str, Mapping[str, Rows]]]) -> list[ShardStatistics]:
    """One record per embodiment and quantity, from every sample's, in order."""
    gathered: dict[tuple[str, str], list[Rows]] = {}
    for group, rows_by_quantity in parts:
        for quantity, rows in rows_by_quantity.items():
            gathered.setdefault((group, quantity), []).append(rows)
    found = []
    for (embodiment, quantity), own in sorted(gathered.items()):
        values, counted = (np.concatenate([getattr(rows, of) for rows in own]) for of in ("values", "counted"))
        found.append(ShardStatistics(shard, split, embodiment, quantity, **vars(sketch(values, counted))))
    return found


def _rows_of(recording: Recording, event: Event) -> dict[str, Rows]:
    """An event's relative actions and absolute states; empty without actions or without any valid state."""
    control, rows = recording.control, slice(event.span.action_start, event.span.action_end)
    anchor = anchor_of(control.state[rows], control.state_valid[rows])
    if anchor is None:
        return {}
    return {
        ACTION_RELATIVE: Rows(
            relative_to(control.action[rows], anchor), control.action_valid[rows, None] & control.action_known
        ),
        STATE: Rows(control.state[rows], control.state_valid[rows, None] & control.state_known),
    }


def _rows_in(sample: EventSample) -> dict[str, Rows]:
    """The same of a sample."""
    relative, state = sample.relative_action(), sample.state_T20
    if relative is None or state is None or sample.action_valid_T is None or sample.state_valid_T is None:
        return {}
    return {
        ACTION_RELATIVE: Rows(relative, sample.action_valid_T[:, None] & sample.known_20),
        STATE: Rows(state, sample.state_valid_T[:, None] & sample.state_known_20),
    }


def run(bundle: Bundle, _spec: ShardSlice) -> list[object]:
    """One shard."""
    recordings = recordings_of(
        episodes=bundle.all(Episode),
        alignments=bundle.all(Alignment),
        tracks=bundle.all(ActionTrack),
        calibrations=bundle.all(Calibration),
        events=bundle.all(Event),
        assignments=bundle.all(Assignment),
    )
    draws = sorted(bundle.all(Draw), key=lambda draw: draw.position)
    path = f"{TARS}/{bundle.work_key}.tar"
    return write_shard(draws, recordings, bundle.all(Clip), blobs=bundle.sink(), path=path)


STAGE = Stage(
    name="shard",
    version=6,
    scope=Scope.SHARD,
    reads=(
        Read(Draw, "schedule", Match.SHARD),
        Read(Clip, "cut", Match.DRAWN),
        Read(Event, "caption"),
        Read(Episode, "ingest"),
        Read(ActionTrack, "ingest"),
        Read(Alignment, "align"),
        Read(Calibration, "calibrate"),
        Read(Assignment, "assign", Match.DRAWN),
    ),
    writes=(ShardFile, ShardEntry, ShardStatistics),
    recipe_slice=lambda _recipe: ShardSlice(),
    run=run,
    writes_blobs=True,
)
