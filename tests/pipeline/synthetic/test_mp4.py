"""Files open, hold the frames they were given in order, and have the same bytes every time."""

from pathlib import Path

import av
import numpy as np

from pipeline.synthetic.mp4 import Mp4Writer, write_mp4
from pipeline.synthetic.scene import Picture
from pipeline.synthetic.view import PictureSize

SIZE = PictureSize(64, 48)


def grey_ramp(n: int) -> list[Picture]:
    return [np.full((48, 64, 3), 20 + 5 * index, np.uint8) for index in range(n)]


def test_frames_come_back_in_order_at_their_times(tmp_path: Path) -> None:
    assert write_mp4(tmp_path / "a.mp4", grey_ramp(30), SIZE, 20) == 30
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
    assert [round(frame.time * 20, 6) for frame in frames] == list(range(30))
    levels = [frame.to_ndarray(format="rgb24").mean() for frame in frames]
    assert np.abs(np.array(levels) - (20 + 5 * np.arange(30))).max() < 4
    assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")


def test_bytes_are_the_same_every_time(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_mp4(tmp_path / name, grey_ramp(12), SIZE, 30)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_several_episodes_go_into_one_file_one_after_the_other(tmp_path: Path) -> None:
    writer = Mp4Writer(tmp_path / "deep" / "a.mp4", SIZE, 30)
    sample = writer.add(grey_ramp(11))
    writer.add(grey_ramp(5))
    writer.close()
    assert writer.n_frames == 16
    assert sample.shape[1] == 3
    assert (sample.min(), sample.max()) == (20 / 255, 70 / 255)
