"""Pictures for people: recorded beside imagined, and the actions of both as curves.

Drawn with OpenCV, which is there anyway; a curve needs no plotting library. Everything is a function of its inputs, to
the byte.
"""

import io
from collections.abc import Mapping, Sequence
from fractions import Fraction

import av
import cv2
import numpy as np

from pipeline.loader.decode import Pixels
from pipeline.loader.frames import even_indices
from schemas.array import Bools, Floats

PAPER, INK, FAINT = (255, 255, 255), (40, 40, 44), (214, 214, 218)
RECORDED, IMAGINED = (40, 40, 44), (214, 92, 30)
_LEAST_SIDE = 128
_MOST_COLUMNS = 9
_REPEATABLE = "threads=1:lookahead-threads=1:sliced-threads=0:cpu-independent=1"
"""By itself x264 takes as many threads as it finds, and a busy machine gives other bytes than an idle one."""
_GAP = 6
_LABEL = 18
_FONT, _SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.42


def enlarged(video_THW3: Pixels) -> Pixels:
    """At least `_LEAST_SIDE` pixels high, every pixel a square of them."""
    times = max(1, -(-_LEAST_SIDE // video_THW3.shape[1]))
    return video_THW3.repeat(times, axis=1).repeat(times, axis=2)


def filmstrip(cameras: Mapping[str, Mapping[str, Pixels]], title: str) -> Pixels:
    """Per camera a row for each named video, one above the other; columns are instants from first to last."""
    rows = []
    for camera, videos in cameras.items():
        for name, video in videos.items():
            columns = even_indices(len(video), min(len(video), _MOST_COLUMNS))
            rows += [_line(f"{camera}, {name}"), _beside(list(enlarged(video[columns])))]
    return _below([_line(title), *rows])


def clip(cameras: Mapping[str, Mapping[str, Pixels]], frames_per_s: float) -> bytes:
    """An mp4: the videos of a camera side by side, a row per camera."""
    rows = [[enlarged(video) for video in videos.values()] for videos in cameras.values()]
    frames = [_even(_below([_beside([video[t] for video in row]) for row in rows])) for t in range(len(rows[0][0]))]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        rate = Fraction(frames_per_s).limit_denominator(1000)
        options = {"crf": "18", "preset": "veryfast", "x264-params": _REPEATABLE}
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.height, stream.width, stream.pix_fmt = frames[0].shape[0], frames[0].shape[1], "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def action_plot(  # noqa: PLR0917 - times, two curves, and which of their numbers count
    times_K: Floats, true_K20: Floats, said_K20: Floats, known_20: Bools, valid_K: Bools, title: str
) -> Pixels:
    """A panel per known position and opening of every arm: recorded dark, imagined in colour."""
    panels = [
        _panel(name, times_K[valid_K], true_K20[valid_K, column], said_K20[valid_K, column])
        for column, name in _columns(known_20)
    ]
    legend = _line(title, width=2 * panels[0].shape[1])
    rows = [_beside(panels[i : i + 4]) for i in range(0, len(panels), 4)]
    return _below([legend, *rows, _legend()])


def _columns(known_20: Bools) -> Sequence[tuple[int, str]]:
    names = ((0, "x, m"), (1, "y, m"), (2, "z, m"), (9, "opening"))
    arms = ((0, "left"), (10, "right"))
    return [(start + own, f"{arm} {name}") for start, arm in arms for own, name in names if known_20[start + own]]


_WIDE, _HIGH, _LEFT, _BOTTOM = 240, 160, 52, 22


def _panel(name: str, times: Floats, true: Floats, said: Floats) -> Pixels:
    picture = np.full((_HIGH, _WIDE, 3), PAPER, np.uint8)
    low, high = _range(np.concatenate([true, said]))
    span = max(float(times[-1] - times[0]), 1e-9) if len(times) else 1.0
    frame = (_LEFT, _LABEL, _WIDE - 8, _HIGH - _BOTTOM)
    cv2.rectangle(picture, frame[:2], frame[2:], FAINT, 1)
    for value, at in ((high, frame[1] + 8), (low, frame[3])):
        cv2.putText(picture, f"{value:.3g}", (2, at), _FONT, 0.36, INK, 1, cv2.LINE_AA)
    cv2.putText(picture, name, (_LEFT, 13), _FONT, _SCALE, INK, 1, cv2.LINE_AA)
    cv2.putText(picture, f"{span:.2g} s", (_WIDE - 48, _HIGH - 6), _FONT, 0.36, INK, 1, cv2.LINE_AA)
    for values, colour in ((true, RECORDED), (said, IMAGINED)):
        x = frame[0] + (times - times[0]) / span * (frame[2] - frame[0])
        y = frame[3] - (np.clip(values, low, high) - low) / (high - low) * (frame[3] - frame[1])
        points = np.rint(np.stack([x, y], axis=1) * 8).astype(np.int32)
        cv2.polylines(picture, [points[:, None]], False, colour, 1, cv2.LINE_AA, 3)
    return picture


def _range(values: Floats) -> tuple[float, float]:
    low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    rim = max(0.05 * (high - low), 1e-3)
    return low - rim, high + rim


def _legend() -> Pixels:
    line = _line("", width=2 * _WIDE)
    for x, colour, name in ((8, RECORDED, "recorded"), (120, IMAGINED, "imagined")):
        cv2.line(line, (x, _LABEL // 2), (x + 22, _LABEL // 2), colour, 2, cv2.LINE_AA)
        cv2.putText(line, name, (x + 28, 13), _FONT, _SCALE, INK, 1, cv2.LINE_AA)
    return line


def _line(text: str, width: int = 1) -> Pixels:
    """Text on paper, as wide as it needs or asked for; OpenCV's letters are ASCII."""
    told = text.encode("ascii", "replace").decode()
    (needed, _), _ = cv2.getTextSize(told, _FONT, _SCALE, 1)
    line = np.full((_LABEL, max(width, needed + 8), 3), PAPER, np.uint8)
    cv2.putText(line, told, (2, 13), _FONT, _SCALE, INK, 1, cv2.LINE_AA)
    return line


def _beside(pictures: Sequence[Pixels]) -> Pixels:
    high = max(picture.shape[0] for picture in pictures)
    padded = [_padded(picture, high, picture.shape[1] + _GAP) for picture in pictures]
    return np.concatenate(padded, axis=1)


def _below(pictures: Sequence[Pixels]) -> Pixels:
    wide = max(picture.shape[1] for picture in pictures)
    return np.concatenate([_padded(picture, picture.shape[0] + 2, wide) for picture in pictures], axis=0)


def _padded(picture: Pixels, high: int, wide: int) -> Pixels:
    padded = np.full((high, wide, 3), PAPER, np.uint8)
    padded[: picture.shape[0], : picture.shape[1]] = picture
    return padded


def _even(picture: Pixels) -> Pixels:
    """Sides that divide by two, as 4:2:0 wants them."""
    return _padded(picture, picture.shape[0] + picture.shape[0] % 2, picture.shape[1] + picture.shape[1] % 2)


def png(picture: Pixels) -> bytes:
    """The picture's file."""
    done, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} could not be written as PNG")
    return bytes(encoded)
