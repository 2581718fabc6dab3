"""The events everybody reads: recordings of several cameras, cut into events of 25 frames.

Recordings are made up (`pipeline.synthetic`: a table, two arms, a still camera and one on each wrist) or taken from a
LeRobot v2.x folder. Made-up frames carry their number as a `stamp`. What stands on disk afterwards is one nearly
lossless mp4 per recording and view, which is the *source* for every writer and for every comparison of pictures.
This module runs in every peer's environment: it imports PyAV and NumPy, the rest only where recordings are made.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.stamp import stamp

EVENT_FRAMES = 25
EVENTS_PER_RECORDING = 10
FPS = 20
ACTION_COLUMNS = 20
DESCRIPTION = "corpus.json"
SOURCE_CRF = 10
"""Of the source recordings: visually lossless, so that what a reader loses it loses in its own encoding."""


@dataclass(frozen=True)
class Corpus:
    """Recordings on disk. Event e is frames 25 (e mod P) … of recording e ÷ P, P = ``events_per_recording``."""

    folder: str
    height: int
    width: int
    fps: int
    views: tuple[str, ...]
    n_recordings: int
    events_per_recording: int
    stamped: bool
    """Whether frame i of recording r carries the number r · frames + i."""

    @property
    def n_events(self) -> int:
        return self.n_recordings * self.events_per_recording

    @property
    def recording_frames(self) -> int:
        return self.events_per_recording * EVENT_FRAMES

    def source(self, recording: int, view: str) -> Path:
        return Path(self.folder) / "source" / f"{recording:04d}-{view}.mp4"

    def clip(self, event: int, view: str) -> Path:
        """The event's clip as stage ``cut`` encodes it: the bytes all but LeRobot store."""
        return Path(self.folder) / "clips" / f"{event:04d}-{view}.mp4"

    def place(self, event: int) -> tuple[int, int]:
        """Recording and first frame of an event."""
        recording, position = divmod(event, self.events_per_recording)
        return recording, position * EVENT_FRAMES

    def number(self, event: int, frame: int) -> int:
        """The stamp of an event's frame."""
        recording, first = self.place(event)
        return recording * self.recording_frames + first + frame

    def pictures(self, recording: int, view: str) -> Iterator[NDArray[np.uint8]]:
        """The source frames, uint8 [H, W, 3] RGB."""
        with av.open(str(self.source(recording, view))) as container:
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24")

    def actions(self, event: int) -> NDArray[np.float32]:
        """Some float32 [25, 20] to carry along, the same for every writer."""
        return np.random.default_rng(event).normal(size=(EVENT_FRAMES, ACTION_COLUMNS)).astype(np.float32)

    def save(self) -> None:
        (Path(self.folder) / DESCRIPTION).write_text(json.dumps({**asdict(self), "folder": ""}))

    @staticmethod
    def load(folder: Path) -> "Corpus":
        known: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text())
        return Corpus(**{**known, "folder": str(folder), "views": tuple(known["views"])})


def make(folder: Path, height: int, width: int, n_recordings: int) -> Corpus:
    """Render recordings of two arms: a still camera and one on each wrist."""
    from pipeline.synthetic.view import PictureSize  # noqa: PLC0415 - peers' environments lack what it needs

    size = PictureSize(width, height)
    corpus = Corpus(str(folder), height, width, FPS, VIEWS, n_recordings, EVENTS_PER_RECORDING, stamped=True)
    (folder / "source").mkdir(parents=True, exist_ok=True)
    for recording in range(n_recordings):
        for view, pictures in rendered(size, recording, corpus.recording_frames):
            numbered = (stamp(picture, recording * corpus.recording_frames + i) for i, picture in enumerate(pictures))
            _write(corpus, recording, view, numbered)
    corpus.save()
    return corpus


VIEWS = ("front", "left_wrist", "right_wrist")


def rendered(size: Any, recording: int, n_frames: int) -> Iterator[tuple[str, Iterator[NDArray[np.uint8]]]]:
    """View names and their pictures, drawn one by one."""
    from pipeline.synthetic.scene import Look, render  # noqa: PLC0415
    from pipeline.synthetic.trajectory import Variant, make_trajectory  # noqa: PLC0415
    from pipeline.synthetic.view import third_person, wrist  # noqa: PLC0415
    from schemas.episode import Arm  # noqa: PLC0415

    programme = {Arm.LEFT: (Variant.PLAIN,), Arm.RIGHT: (Variant.PLAIN, Variant.PLAIN)}
    trajectory = make_trajectory([recording, 5], programme, rate_hz=FPS, stagger_s=0.5)
    if trajectory.n_frames < n_frames:
        raise ValueError(f"recording {recording}: {trajectory.n_frames} frames, expected {n_frames}")
    still = third_person(np.random.default_rng([recording, 1]), size, trajectory.n_frames)
    arms = {motion.arm: motion for motion in trajectory.arms}
    cameras = (still, wrist(size, arms[Arm.LEFT]), wrist(size, arms[Arm.RIGHT]))
    for number, (name, camera) in enumerate(zip(VIEWS, cameras, strict=True)):
        look = Look(table=(150, 122, 92), seed=1000 * recording + number)
        yield name, render(trajectory, camera, look, range(n_frames))


def take(folder: Path, dataset: Path, n_recordings: int) -> Corpus:
    """The first whole events of each episode of a LeRobot v2.x dataset, frames as they are."""
    episodes: dict[str, dict[str, Path]] = {}
    for path in sorted(dataset.glob("videos/chunk-*/*/episode_*.mp4")):
        episodes.setdefault(path.stem, {})[path.parent.name.rpartition(".")[2]] = path
    views = tuple(sorted(set.intersection(*(set(found) for found in episodes.values()))))
    chosen = [episodes[name] for name in sorted(episodes)][:n_recordings]
    lengths = [min(_length(found[view]) for view in views) for found in chosen]
    height, width, fps = _shape(chosen[0][views[0]])
    per_recording = min(lengths) // EVENT_FRAMES
    corpus = Corpus(str(folder), height, width, fps, views, len(chosen), per_recording, stamped=False)
    (folder / "source").mkdir(parents=True, exist_ok=True)
    for recording, found in enumerate(chosen):
        for view in views:
            _copy(found[view], corpus, recording, view)
    corpus.save()
    return corpus


def _length(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)


def _shape(path: Path) -> tuple[int, int, int]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.height, stream.width, round(float(stream.average_rate or FPS))


def _copy(path: Path, corpus: Corpus, recording: int, view: str) -> None:
    with av.open(str(path)) as container:
        pictures = (frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
        _write(corpus, recording, view, islice(pictures, corpus.recording_frames))


def _write(corpus: Corpus, recording: int, view: str, pictures: Iterable[NDArray[np.uint8]]) -> None:
    from pipeline.synthetic.mp4 import Mp4Writer  # noqa: PLC0415
    from pipeline.synthetic.view import PictureSize  # noqa: PLC0415

    size = PictureSize(corpus.width, corpus.height)
    writer = Mp4Writer(corpus.source(recording, view), size, corpus.fps, crf=SOURCE_CRF)
    writer.add(pictures)
    writer.close()


def cut_clips(corpus: Corpus) -> None:
    """Encode every event as stage ``cut`` does, at the recordings' own size."""
    from pipeline.clip import ClipEncoder  # noqa: PLC0415
    from schemas.recipe import ClipSpec  # noqa: PLC0415
    from schemas.time import NS_PER_S  # noqa: PLC0415

    spec = ClipSpec(short_side=min(corpus.height, corpus.width))
    (Path(corpus.folder) / "clips").mkdir(exist_ok=True)
    for recording in range(corpus.n_recordings):
        for view in corpus.views:
            pictures = corpus.pictures(recording, view)
            for position in range(corpus.events_per_recording):
                encoder = ClipEncoder(spec)
                for i in range(EVENT_FRAMES):
                    frame = av.VideoFrame.from_ndarray(next(pictures), format="rgb24")
                    encoder.add(i * NS_PER_S // corpus.fps, frame)
                event = recording * corpus.events_per_recording + position
                corpus.clip(event, view).write_bytes(encoder.finish(EVENT_FRAMES * NS_PER_S // corpus.fps).mp4)
