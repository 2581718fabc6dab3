"""What pixels cost, where they are touched: decoding with the filmstrip, and decoding with clips, on one thread.

python -m benchmarks.scale.pixels VIDEO… [--json FILE]
"""

import argparse
import json
import time
from pathlib import Path
from typing import BinaryIO, cast

import cv2

from pipeline.clip import ClipEncoder
from pipeline.filmstrip import FilmstripMaker
from pipeline.video import TO_THE_END, frames
from schemas.episode import VideoWindow
from schemas.recipe import ClipSpec, IngestSpec
from schemas.time import NS_PER_S

WHOLE = VideoWindow("video", 0, 0, TO_THE_END)
EVENT_FRAMES = 45
"""Of one clip: an action of 1.5 s at 30 frames/s."""


def ingested(path: Path) -> tuple[int, float, int]:
    """Frames, seconds of video and bytes of thumbnails."""
    maker, n, n_bytes, end_ns = FilmstripMaker(path.name, "view", 0, IngestSpec()), 0, 0, 0
    with path.open("rb") as file:
        for picture in frames(cast(BinaryIO, file), WHOLE, path.name):
            thumbnail = maker.add(picture)
            n, end_ns = n + 1, picture.end_ns
            n_bytes += len(thumbnail.jpeg) if thumbnail else 0
    maker.strip(end_ns)
    return n, end_ns / NS_PER_S, n_bytes


def cut(path: Path) -> int:
    """Bytes of clips that cover the whole video."""
    n_bytes, n, encoder, end_ns = 0, 0, ClipEncoder(ClipSpec()), 0
    with path.open("rb") as file:
        for picture in frames(cast(BinaryIO, file), WHOLE, path.name):
            if n == EVENT_FRAMES:
                n_bytes, n, encoder = n_bytes + len(encoder.finish(picture.pts_ns).mp4), 0, ClipEncoder(ClipSpec())
            encoder.add(picture.pts_ns, picture.frame)
            n, end_ns = n + 1, picture.end_ns
    return n_bytes + len(encoder.finish(end_ns).mp4)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--json", type=Path, default=None, help="write the figures here too")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    n_frames, video_s, thumbnails = 0, 0.0, 0
    start = time.process_time()
    for path in given.videos:
        n, seconds, n_bytes = ingested(path)
        n_frames, video_s, thumbnails = n_frames + n, video_s + seconds, thumbnails + n_bytes
    middle = time.process_time()
    clips = sum(map(cut, given.videos))
    end = time.process_time()
    found = {
        "frames": n_frames,
        "video_s": round(video_s, 3),
        "source_bytes": sum(path.stat().st_size for path in given.videos),
        "ingest_cpu_s": round(middle - start, 3),
        "thumbnail_bytes": thumbnails,
        "cut_cpu_s": round(end - middle, 3),
        "clip_bytes": clips,
    }
    print(json.dumps(found))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
