"""What is timed and what passes for the same pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.peers.corpus import EVENT_FRAMES, Corpus
from benchmarks.peers.reading import WARM, compared, psnr, timed
from benchmarks.peers.stamp import stamp
from pipeline.synthetic.mp4 import Mp4Writer
from pipeline.synthetic.view import PictureSize

HEIGHT, WIDTH = 48, 144


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    made = Corpus(str(tmp_path), HEIGHT, WIDTH, 20, ("front",), 1, 8, stamped=True)
    (tmp_path / "source").mkdir()
    writer = Mp4Writer(made.source(0, "front"), PictureSize(WIDTH, HEIGHT), 20, crf=4)
    writer.add(stamp(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), i) for i in range(made.recording_frames))
    writer.close()
    return made


def events(corpus: Corpus, shift: int = 0, n_frames: int = EVENT_FRAMES) -> Iterator[dict[str, Any]]:
    pictures = np.stack(list(corpus.pictures(0, "front")))
    for number in range(corpus.n_events):
        first = number * EVENT_FRAMES
        own = np.roll(pictures, -shift, axis=0)[first : first + n_frames]
        yield {"event": number, "views": {"front": torch.from_numpy(own)}}


def test_the_right_pictures_pass_as_bytes_and_as_floats(corpus: Corpus) -> None:
    floats = (
        {**event, "views": {"front": event["views"]["front"].permute(0, 3, 1, 2).float() / 255}}
        for event in events(corpus)
    )
    for given in (events(corpus), floats):
        found = compared(given, corpus, 3)
        assert (found["wrong"], found["psnr"]) == (0, np.inf)


def test_pictures_of_the_next_frame_are_found_out(corpus: Corpus) -> None:
    assert compared(events(corpus, shift=1), corpus, 2)["wrong"] == 2 * EVENT_FRAMES


def test_frames_are_those_after_the_first_events(corpus: Corpus) -> None:
    found = timed(lambda: events(corpus), corpus, 3)
    assert found["frames"] == 3 * EVENT_FRAMES
    assert found["seconds"] > 0


def test_who_reads_fewer_frames_is_stopped(corpus: Corpus) -> None:
    with pytest.raises(SystemExit, match="expected 25"):
        timed(lambda: events(corpus, n_frames=EVENT_FRAMES - 1), corpus, 3)


def test_who_repeats_an_event_is_stopped(corpus: Corpus) -> None:
    first = next(events(corpus))
    with pytest.raises(SystemExit, match="1 different events"):
        timed(lambda: (first for _ in range(9)), corpus, 3)


def test_queues_may_not_run_dry(corpus: Corpus) -> None:
    with pytest.raises(SystemExit, match="the corpus has 8"):
        timed(lambda: events(corpus), corpus, corpus.n_events - WARM)


def test_psnr_of_a_known_error() -> None:
    picture = np.full((4, 4, 3), 100, np.uint8)
    assert psnr(picture, picture) == np.inf
    assert psnr(picture, picture + np.uint8(10)) == pytest.approx(20 * np.log10(25.5))
