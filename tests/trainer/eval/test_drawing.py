"""Pictures for people hold what they are of, and are the same bytes every time."""

import io

import av
import cv2
import numpy as np

from tests.trainer.events import pictures
from trainer.eval.drawing import IMAGINED, RECORDED, action_plot, clip, enlarged, filmstrip, png

TRUE, SAID = pictures(9), pictures(9, view=1)
CAMERAS = {"front": {"recorded": TRUE, "imagined": SAID}}


def test_a_filmstrip_shows_first_and_last_picture_of_both() -> None:
    strip = filmstrip(CAMERAS, "step 1: lift the cup")
    for video in (TRUE, SAID):
        for shown in (enlarged(video[:1])[0], enlarged(video[-1:])[0]):
            assert cv2.matchTemplate(strip, shown, cv2.TM_SQDIFF).min() == 0.0


def test_a_clip_is_the_same_bytes_every_time_and_one_frame_per_picture() -> None:
    first = clip(CAMERAS, 1 / 0.15)
    assert first == clip(CAMERAS, 1 / 0.15)
    with av.open(io.BytesIO(first)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 9
    left = frames[-1][:128, :128].astype(int)
    assert np.abs(left - enlarged(TRUE[-1:])[0]).mean() < 3.0


def test_a_plot_has_both_curves_where_there_are_rows_to_trust() -> None:
    times, known, valid = np.linspace(0, 1, 8), np.arange(20) < 10, np.ones(8, bool)
    true = np.tile(np.linspace(0, 0.3, 8)[:, None], (1, 20))
    plot = action_plot(times, true, true**2, known, valid, "lift")
    for colour in (RECORDED, IMAGINED):
        assert (plot == colour).all(axis=2).sum() > 40
    valid[4:] = False
    wild = true.copy()
    wild[4:] = 1e6
    assert np.array_equal(
        action_plot(times, wild, true, known, valid, ""), action_plot(times, true, true, known, valid, "")
    )


def test_a_picture_survives_its_file() -> None:
    read = cv2.imdecode(np.frombuffer(png(TRUE[0]), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), TRUE[0])
