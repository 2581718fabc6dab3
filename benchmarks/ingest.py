"""How much of bare decoding speed ingest keeps: ``python -m benchmarks.ingest [FOLDER]``.

For every video below a folder (the real recordings by default), the same file is decoded twice in the same run and
with the same thread settings: once by plain PyAV to RGB24 arrays, once by ingest to a filmstrip with thumbnails.
Prints frames per second of CPU time and their ratio, per file and over all frames. CPU time, because wall-clock time
on a shared machine measures the neighbours; with one decoding thread the two are the same on an idle one.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import cv2

from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import decode_view
from pipeline.sources.formats import discover, read
from pipeline.video import Threads
from schemas.recipe import IngestSpec
from schemas.recipe_formats.video_folder import VideoFolderSource
from schemas.source import EpisodeRef
from schemas.source_card import SourceCard

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"
FLOOR = 0.75
"""Ingest must keep at least this share of bare decoding speed."""


@dataclass(frozen=True)
class Row:
    """One file's result."""

    path: str
    n_frames: int
    bare_s: float
    ingest_s: float

    @property
    def ratio(self) -> float:
        """Ingest frames/s ÷ bare frames/s."""
        return self.bare_s / self.ingest_s


def measure(folder: Path, threads: Threads, repeat: int) -> list[Row]:
    """Every video below the folder, the faster of ``repeat`` runs on each side."""
    spec = VideoFolderSource(
        format="video_folder", name="benchmark", path=str(folder), card=SourceCard(licence="not stated")
    )
    files = SourceFiles(str(folder))
    refs = [found for found in discover(spec, files, MemoryDigests()) if isinstance(found, EpisodeRef)]
    return [_row(ref, files, threads, repeat) for ref in refs]


def _row(ref: EpisodeRef, files: SourceFiles, threads: Threads, repeat: int) -> Row:
    camera = read(ref, files).cameras[0]
    bare_s, n_frames = _best(lambda: _bare(files, ref.locator, camera.video.stream, threads), repeat)
    ingest_s, n_ingested = _best(lambda: decode_view(ref, files, camera, IngestSpec(), threads).camera.n_frames, repeat)
    if n_frames != n_ingested:
        raise ValueError(f"{ref.locator}: bare decoding gave {n_frames} frames, ingest {n_ingested}")
    return Row(ref.locator, n_frames, bare_s, ingest_s)


def _bare(files: SourceFiles, path: str, stream_index: int, threads: Threads) -> int:
    """What one cannot do without: decode every frame and convert it to an RGB24 array."""
    n_frames = 0
    with files.open(path) as file, av.open(file) as container:
        stream = container.streams.video[stream_index]
        stream.codec_context.thread_count = threads.count
        stream.codec_context.thread_type = threads.kind
        for frame in container.decode(stream):
            frame.to_ndarray(format="rgb24", threads=threads.count)
            n_frames += 1
    return n_frames


def _best(work: Callable[[], int], repeat: int) -> tuple[float, int]:
    seconds, result = [], 0
    for _ in range(repeat):
        started = time.process_time()
        result = work()
        seconds.append(time.process_time() - started)
    return min(seconds), result


def main() -> int:
    """Print the table; exit code 1 when the overall ratio is below the floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=REAL)
    parser.add_argument("--repeat", type=int, default=1, help="runs per file and side; the fastest counts")
    parser.add_argument("--threads", type=int, default=1, help="decoding threads, the same on both sides")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    threads = Threads(options.threads, "AUTO" if options.threads > 1 else "NONE")
    rows = measure(options.folder.resolve(), threads, options.repeat)
    print(f"{'frames':>7} {'bare fps':>9} {'ingest fps':>10} {'ratio':>6}  file")
    for row in rows:
        bare, ingest = row.n_frames / row.bare_s, row.n_frames / row.ingest_s
        print(f"{row.n_frames:7d} {bare:9.0f} {ingest:10.0f} {row.ratio:6.2f}  {row.path}")
    n_frames = sum(row.n_frames for row in rows)
    bare_s, ingest_s = sum(row.bare_s for row in rows), sum(row.ingest_s for row in rows)
    ratio = bare_s / ingest_s
    print(f"{n_frames:7d} {n_frames / bare_s:9.0f} {n_frames / ingest_s:10.0f} {ratio:6.2f}  all (floor {FLOOR})")
    return 0 if ratio >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
