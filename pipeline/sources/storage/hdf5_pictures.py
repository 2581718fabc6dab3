"""Views kept as rows of an HDF5 dataset: raw pixels, or JPEG and PNG files padded to one length or of any length."""

from collections.abc import Iterator

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.still import picture_of_row
from pipeline.sources.storage.hdf5 import opened
from pipeline.video import TO_THE_END, Picture
from schemas.episode import VideoWindow
from schemas.time import NS_PER_S


def row_start_ns(row: int, fps: float) -> int:
    """When a row is shown: rows have no times of their own, only a rate."""
    return round(row * NS_PER_S / fps)


def row_pictures(
    files: SourceFiles, path: str, window: VideoWindow, fps: float, *, bgr: bool = False, flipped: bool = False
) -> Iterator[Picture]:
    """The pictures of the dataset ``window.inside`` that start inside the window, row i at ``i / fps`` seconds.

    A damaged picture amid good ones is the one before it once more, marked, so that rows and pictures stay paired and
    cleaning leaves out just that moment. Raises SourceError when the first one is damaged.
    """
    with opened(files, path) as file:
        row, before = max(0, int(window.start_ns * fps / NS_PER_S) - 1), None
        for pixels in file.rows(window.inside, row):
            start_ns, end_ns = row_start_ns(row, fps), row_start_ns(row + 1, fps)
            if window.end_ns != TO_THE_END and start_ns >= window.end_ns:
                return
            if start_ns >= window.start_ns:
                name = f"{file.name}: {window.inside}, row {row}"
                try:
                    picture = picture_of_row(pixels, start_ns, end_ns, name, bgr=bgr, flipped=flipped)
                except SourceError:
                    if before is None:
                        raise
                    picture = before._replace(pts_ns=start_ns, end_ns=end_ns, damaged=True)
                yield picture
                before = picture
            row += 1
