"""torchcodec and PyAV give the same bytes, or torchcodec is left alone.

torchcodec finds FFmpeg through the dynamic linker, so it runs in a process of its own that is shown the libraries
inside PyAV's wheel under their plain names.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.loader import torchcodec_clip
from pipeline.loader.decode import decode_clip
from tests.pipeline.loader.odd_clips import CLIPS, cut_clip
from tests.test_repository import ROOT

needs_torchcodec = pytest.mark.skipif(
    find_spec("torchcodec") is None, reason="torchcodec is not installed: pip install -c constraints.txt -e '.[video]'"
)
COMPARE = """
import numpy as np
from pipeline.loader import torchcodec_clip
from pipeline.loader.decode import decode_clip
from tests.pipeline.loader.odd_clips import CLIPS
assert torchcodec_clip.usable()
taken = []
original = torchcodec_clip.decode_frames
torchcodec_clip.decode_frames = lambda *given: (taken.append(kind), original(*given))[1]
for kind, make in CLIPS.items():
    mp4 = make()
    for frames in (None, range(1, 3), range(9, 12), range(10, 21), [20, 9, 9], [1, 12, 20]):
        ours = decode_clip(mp4, frames=frames, decoder="pyav")
        theirs = decode_clip(mp4, frames=frames, decoder="torchcodec")
        assert np.array_equal(ours, theirs), (kind, frames)
        assert np.array_equal(decode_clip(mp4, (24, 40), frames), decode_clip(mp4, (24, 40), frames, "pyav"))
print(sorted(set(taken)))
"""


def with_ffmpeg(folder: Path) -> dict[str, str]:
    """An environment in which the linker finds PyAV's FFmpeg as ``libavcodec.so.62`` and so on."""
    libraries = Path(av.__file__).parents[1] / "av.libs"
    for library in libraries.iterdir():
        plain = re.sub(r"-[0-9a-f]{8}\.so\.(\d+).*", r".so.\1", library.name)
        for name in {library.name, plain}:
            (folder / name).symlink_to(library)
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "LD_LIBRARY_PATH": str(folder), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
@needs_torchcodec
@pytest.mark.skipif(sys.platform != "linux", reason="the linker is told by LD_LIBRARY_PATH")
def test_both_libraries_give_the_same_bytes(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", COMPARE], capture_output=True, text=True, check=False, env=with_ffmpeg(tmp_path)
    )
    assert found.returncode == 0, found.stderr
    kinds = sorted(kind for kind in CLIPS if kind not in ("10 bits", "4:2:2", "odd size", "full range"))
    assert found.stdout.strip() == str(kinds), "torchcodec decodes exactly what both turn into the same RGB"


def test_a_torchcodec_that_differs_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here it is a stand-in: one that is a shade brighter, as another conversion would be."""

    def brighter(mp4: bytes, frames: Sequence[int]) -> np.ndarray:  # type: ignore[type-arg]  # uint8
        return np.minimum(decode_clip(mp4, frames=frames, decoder="pyav"), 254) + 1

    expected = decode_clip(cut_clip(66, 50), decoder="pyav")
    monkeypatch.setattr(torchcodec_clip, "decode_frames", brighter)
    monkeypatch.setitem(sys.modules, "torchcodec", type(sys)("torchcodec"))
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", type(sys)("torchcodec.decoders"))
    torchcodec_clip.usable.cache_clear()
    try:
        assert not torchcodec_clip.usable()
        assert np.array_equal(decode_clip(cut_clip(66, 50)), expected)
        with pytest.raises(ValueError, match="differs from PyAV; take 'auto'"):
            decode_clip(cut_clip(66, 50), decoder="torchcodec")
    finally:
        torchcodec_clip.usable.cache_clear()


def test_the_probe_shows_nearly_every_value_of_every_channel() -> None:
    pixels = decode_clip(torchcodec_clip.probe(), decoder="pyav")
    for channel in range(3):
        assert len(np.unique(pixels[..., channel])) > 240
