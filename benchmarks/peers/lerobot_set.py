"""LeRobot v3.0, written and read by LeRobot: ``delta_timestamps`` for 25 frames, which is how its policies get chunks.

Variants of the encoding: ``av1``, its default (SVT-AV1, a key frame every second frame); ``h264``, its other codec with
its own settings; ``ours``, the same pictures encoded as our stage ``cut`` does, put in the place of its files.
"""

from pathlib import Path
from typing import Any

import av
import torch

from clustering.torchvision_schemas import declare

declare()  # LeRobot imports torchvision

from lerobot.datasets.lerobot_dataset import LeRobotDataset  # noqa: E402

from benchmarks.peers.corpus import ACTION_COLUMNS, EVENT_FRAMES, Corpus  # noqa: E402
from benchmarks.peers.reading import Event, Manner, main, shuffled  # noqa: E402

REPOSITORY = "joinery/peers"
PREFIX = "observation.images."
CODECS = {"av1": "libsvtav1", "h264": "h264", "ours": "h264"}
OURS = {
    "preset": "veryfast",
    "crf": "22",
    "x264-params": "keyint=8:min-keyint=8:scenecut=0:bframes=0:force-cfr=0:cabac=0:no-deblock=1",
}
"""`ClipSpec`'s defaults as `pipeline.clip` passes them on."""


def write(corpus: Corpus, place: Path, variant: str) -> None:
    """Episodes are the recordings, encoded while they are added."""
    picture = {"dtype": "video", "shape": (corpus.height, corpus.width, 3), "names": ["height", "width", "channels"]}
    features = {PREFIX + view: picture for view in corpus.views}
    features["action"] = {"dtype": "float32", "shape": (ACTION_COLUMNS,), "names": None}
    dataset = LeRobotDataset.create(
        REPOSITORY,
        corpus.fps,
        features,
        root=place,
        vcodec=CODECS[variant],
        streaming_encoding=True,
        encoder_queue_maxsize=corpus.recording_frames,  # a full queue would drop frames, as in a live recording
    )
    for recording in range(corpus.n_recordings):
        pictures = {view: corpus.pictures(recording, view) for view in corpus.views}
        for position in range(corpus.events_per_recording):
            actions = corpus.actions(recording * corpus.events_per_recording + position)
            for row in actions:
                frame = {PREFIX + view: next(source) for view, source in pictures.items()}
                dataset.add_frame({**frame, "action": row, "task": "tidy the table"})
        dataset.save_episode()
    dataset.finalize()
    if variant == "ours":
        for view in corpus.views:
            _encode_again(corpus, view, place)


def _encode_again(corpus: Corpus, view: str, place: Path) -> None:
    """One file with all recordings of a view, in the place of the only one LeRobot wrote."""
    (path,) = place.glob(f"videos/{PREFIX}{view}/*/*.mp4")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=corpus.fps, options=OURS)
        stream.width, stream.height, stream.pix_fmt = corpus.width, corpus.height, "yuv420p"
        for recording in range(corpus.n_recordings):
            for picture in corpus.pictures(recording, view):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


class Events(torch.utils.data.Dataset[Event]):
    """Event e is the item at its first frame."""

    def __init__(self, corpus: Corpus, place: Path) -> None:
        deltas = [i / corpus.fps for i in range(EVENT_FRAMES)]
        keys = [*(PREFIX + view for view in corpus.views), "action"]
        self._corpus = corpus
        self._dataset = LeRobotDataset(REPOSITORY, root=place, delta_timestamps=dict.fromkeys(keys, deltas))

    def __getitem__(self, event: int) -> dict[str, Any]:
        recording, first = self._corpus.place(event)
        item = self._dataset[recording * self._corpus.recording_frames + first]
        views = {view: item[PREFIX + view] for view in self._corpus.views}
        return {"event": event, "views": views, "action": item["action"]}


def opened(corpus: Corpus, place: Path, manner: Manner) -> "torch.utils.data.DataLoader[Event]":
    """Random events, or one after the other."""
    order = shuffled(corpus, in_order=manner.in_order)
    return torch.utils.data.DataLoader(
        Events(corpus, place), batch_size=None, sampler=order, num_workers=manner.workers
    )


if __name__ == "__main__":
    main(write, opened, ("lerobot", "torchcodec", "av", "numpy", "torch"))
