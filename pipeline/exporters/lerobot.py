"""LeRobot v3.0: a shard set as LeRobot datasets, one for each kind of recording, one episode for each draw.

A balanced set holds draws, not recordings: events come alone and as often as the plan says. So an event is an episode,
and whole episodes, which a set does not contain, cannot be put together again. Pictures are copied, not encoded anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.errors import JoineryError
from pipeline.exporters.clip_files import FILES_PER_CHUNK, ClipFiles
from pipeline.exporters.folder import Counts, Losses
from pipeline.exporters.kinds import Kind, ReadEvent, folder_names, read_event, retiming_ns, sorted_by_kind
from pipeline.exporters.lerobot_meta import (
    MAX_TABLE_BYTES,
    EpisodeEntry,
    info,
    provenance,
    readme,
    write_json,
    write_listing,
    write_stats,
    write_table,
    write_texts,
)
from pipeline.exporters.lerobot_rows import (
    ACTION,
    ACTION_VALID,
    CAPTION,
    EVENTS,
    PERSISTENT,
    PICTURES,
    STATE,
    STATE_VALID,
    SUBTASK_INDEX,
    Feature,
    FrameRows,
    features_of,
    frame_rows,
    language_array,
    persistent_rows,
    subtask_of,
    table_of,
    task_of,
)
from pipeline.exporters.lerobot_stats import Merged, Moments, merged, moments, picture_moments
from pipeline.exporters.target import Language
from pipeline.loader.reader import ShardSet
from pipeline.loader.sample import EventSample

_UNCOUNTED = ("bool", "string", "language")
"""Columns without statistics."""


def write_lerobot(shards: ShardSet, split: str, language: Language, card: str, out: Path) -> Counts:
    """Every kind of the split as a dataset below ``out``. Raises JoineryError when no event can be carried."""
    kinds, losses = sorted_by_kind(shards, split)
    if not kinds:
        raise JoineryError(
            f"{shards.shard_set_id}: no event of {split} fits a LeRobot dataset: {'; '.join(sorted(losses.events))}"
        )
    n_frames = 0
    for name, kind in folder_names(kinds).items():
        events = (read_event(shards, split, t) for t in kinds[kind])
        n_frames += _Dataset(out / name, kind, language, losses).write(events, shards.shard_set_id, card)
    return Counts(sum(map(len, kinds.values())), n_frames, losses)


@dataclass
class _Dataset:
    """One dataset being written. Holds one file's tables, and per episode its entry in the listing."""

    root: Path
    kind: Kind
    language: Language
    losses: Losses
    features: dict[str, Feature] = field(init=False)
    _stats: dict[str, Merged] = field(init=False)
    _clips: dict[str, ClipFiles] = field(init=False)
    _texts: dict[str, dict[str, int]] = field(default_factory=lambda: {"task": {}, "subtask": {}})
    _tables: list[pa.Table] = field(default_factory=list)
    _table_bytes: int = 0
    _n_files: int = 0
    _n_rows: int = 0

    def __post_init__(self) -> None:
        self.features = features_of(self.kind, self.language)
        counted = [name for name, feature in self.features.items() if feature.dtype not in _UNCOUNTED]
        pictures = [f"{PICTURES}{view.camera}" for view in self.kind.views]
        self._stats = dict(merged([*counted, *pictures]))
        self._clips = {
            view.camera: ClipFiles(self.root / "videos" / f"{PICTURES}{view.camera}", self.kind.fps)
            for view in self.kind.views
        }

    def write(self, events: Iterator[ReadEvent], shard_set_id: str, card: str) -> int:
        """All episodes and what stands beside them; returns the number of frames."""
        entries, records = [], []
        for index, event in enumerate(events):
            entries.append(self._add(index, event))
            records.append(provenance(index, event.sample))
        self._flush()
        for clips in self._clips.values():
            clips.close()
        tasks, subtasks = (list(self._texts[name]) for name in ("task", "subtask"))
        described = info(self.kind, self.features, len(entries), self._n_rows, len(tasks))
        write_json(self.root / "meta" / "info.json", described)
        write_texts(self.root / "meta" / "tasks.parquet", "task_index", tasks)
        if self.language is Language.SUBTASK_INDEX:
            write_texts(self.root / "meta" / "subtasks.parquet", "subtask_index", subtasks)
        write_stats(self.root, self._stats)
        write_listing(self.root, self.kind, entries, records)
        page = readme(self.kind, len(entries), self._n_rows, shard_set_id, card)
        (self.root / "README.md").write_text(page, encoding="utf-8")
        return self._n_rows

    def _add(self, index: int, event: ReadEvent) -> EpisodeEntry:
        sample, kind = event.sample, self.kind
        rows = frame_rows(sample, event.members, kind)
        self._count_losses(sample, rows)
        n = len(rows.columns["frame_index"])
        task = task_of(sample)
        columns: dict[str, Any] = dict(rows.columns)
        columns["episode_index"] = [index] * n
        columns["index"] = range(self._n_rows, self._n_rows + n)
        columns["task_index"] = [self._number("task", task)] * n
        if self.language is Language.COLUMNS:
            columns[PERSISTENT] = language_array(persistent_rows(sample), n, with_time=True)
            columns[EVENTS] = language_array([], n, with_time=False)
        else:
            columns |= {SUBTASK_INDEX: [self._number("subtask", subtask_of(sample))] * n, CAPTION: [sample.caption] * n}
        table = table_of(self.features, columns)
        stats = self._moments(columns, event.members, n)
        views = {}
        for camera, clips in self._clips.items():
            views[camera] = clips.add(event.members[f"{camera}.mp4"], f"{sample.key}.{camera}.mp4")
        if self._tables and self._table_bytes + table.nbytes > MAX_TABLE_BYTES:
            self._flush()
        self._tables.append(table)
        self._table_bytes += table.nbytes
        entry = EpisodeEntry(index, task, n, self._n_rows, divmod(self._n_files, FILES_PER_CHUNK), views, stats)
        self._n_rows += n
        return entry

    def _moments(self, columns: dict[str, Any], members: dict[str, bytes], n: int) -> dict[str, Moments]:
        valid = {STATE: columns.get(STATE_VALID), ACTION: columns.get(ACTION_VALID)}
        found = {}
        for name, so_far in self._stats.items():
            if name.startswith(PICTURES):
                found[name] = picture_moments(members[f"{name.removeprefix(PICTURES)}.mp4"], n)
            else:
                found[name] = moments(columns[name], valid.get(name))
            so_far.add(found[name])
        return found

    def _count_losses(self, sample: EventSample, rows: FrameRows) -> None:
        times = sample.view_times_ns[sample.master_view]
        if sample.record["event"].get("rephrasings"):
            self.losses.add("rephrasings of the caption: LeRobot has a place for those of the task only")
        if rows.rows_left_over:
            self.losses.add("control rows between frames: LeRobot has one row per frame")
        if rows.off_ns * self.kind.fps > 1_000_000_000 // 2:
            self.losses.add("some frames take a control row more than half a frame away")
        if retiming_ns(times, self.kind.fps) > 1_000_000:
            self.losses.add("exact frame times: `timestamp` counts whole frames, `time_ns` keeps what was")

    def _number(self, kind: str, text: str) -> int:
        return self._texts[kind].setdefault(text, len(self._texts[kind]))

    def _flush(self) -> None:
        if self._tables:
            chunk, file = divmod(self._n_files, FILES_PER_CHUNK)
            write_table(
                self.root / "data" / f"chunk-{chunk:03d}" / f"file-{file:03d}.parquet", pa.concat_tables(self._tables)
            )
            self._n_files += 1
        self._tables, self._table_bytes = [], 0
