"""Whole recordings under two names: what may differ between them, and what may not."""

from pathlib import Path

import numpy as np
import pytest

from clustering import copies
from clustering.copies import Copy, find_copies
from schemas.array import Floats
from schemas.episode import ActionKind, SyncVerdict
from schemas.outline import N_MOMENTS, Outline, ViewOutline

SECONDS = 20.0


def film(seed: int, start: float = 0.0, end: float = 1.0, scene: int = 0) -> Floats:
    """Smooth changes, [N_MOMENTS, 48] in grey levels; ``start`` … ``end`` is which part of the recording is there."""
    rng, moments = np.random.default_rng(seed), start + (end - start) * (np.arange(N_MOMENTS) + 0.5) / N_MOMENTS
    shown = 60 + 100 * np.random.default_rng(scene).random(48) + np.zeros((N_MOMENTS, 1))
    for frequency in range(1, 9):
        shown += 5 * rng.normal(size=48) * np.sin(2 * np.pi * (frequency * moments[:, None] + rng.random(48)))
    return shown


def path(seed: int, start: float = 0.0, end: float = 1.0) -> Floats:
    """A tool going about a table, right arm only."""
    moments = start + (end - start) * (np.arange(N_MOMENTS) + 0.5) / N_MOMENTS
    at = np.full((N_MOMENTS, 6), np.nan)
    rng = np.random.default_rng(seed)
    for axis in range(3):
        at[:, 3 + axis] = 0.2 * np.sin(2 * np.pi * (2 * moments + rng.random())) + rng.random()
    return at


def outline(
    name: str, seed: int, *, part: tuple[float, float] = (0.0, 1.0), seconds: float | None = None, noise: float = 0.0,
    gain: float = 1.0, with_path: bool = True, source: str = "lab", moved: float = 0.0,
) -> Outline:  # fmt: skip
    shown = gain * film(seed, *part) + noise * np.random.default_rng(len(name)).normal(size=(N_MOMENTS, 48))
    still = np.full((N_MOMENTS, 48), 90)
    at = path(seed, *part) + moved if with_path else np.full((N_MOMENTS, 6), np.nan)
    views = (ViewOutline("wall", 100, still), ViewOutline("front", 100, np.clip(shown, 0, 255).astype(np.uint8)))
    length = seconds if seconds is not None else SECONDS * (part[1] - part[0])
    return Outline(
        name, source, "set", name, length, length, ActionKind.MEASURED, SyncVerdict.CONFIRMED, 0, views,
        at.astype(np.float32),
    )  # fmt: skip


def found(tmp_path: Path, *outlines: Outline) -> list[Copy]:
    return find_copies([list(outlines)], tmp_path)


OTHERS = [outline(f"ep-other-{seed}", seed) for seed in range(100, 106)]


@pytest.mark.parametrize(
    ("again", "lag_s", "rate"),
    [
        (outline("ep-b", 1), 0.0, 1.0),
        (outline("ep-b", 1, noise=0.7, gain=1.1), 0.0, 1.0),
        (outline("ep-b", 1, with_path=False), 0.0, 1.0),
        (outline("ep-b", 1, moved=0.5), 0.0, 1.0),
        (outline("ep-b", 1, seconds=1.5 * SECONDS), 0.0, 1.5),
        (outline("ep-b", 1, part=(0.04, 1.0)), -0.8, 1.0),
        (outline("ep-b", 1, part=(0.0, 0.93), noise=0.5), 0.0, 1.0),
        (outline("ep-b", 1, part=(0.05, 0.95), with_path=False), -1.0, 1.0),
    ],
    ids=[
        "equal",
        "re-encoded",
        "no path",
        "other frame",
        "other speed",
        "head trimmed",
        "tail trimmed",
        "both trimmed",
    ],
)
def test_a_copy_is_found_and_its_clock_with_it(tmp_path: Path, again: Outline, lag_s: float, rate: float) -> None:
    (copy,) = found(tmp_path, *OTHERS, again, outline("ep-a", 1))
    assert (copy.first, copy.second, copy.path_m is None) == ("ep-a", "ep-b", bool(np.isnan(again.path).all()))
    assert copy.lag_s == pytest.approx(lag_s, abs=0.03)
    assert copy.rate == pytest.approx(rate)


def test_recordings_of_one_scene_are_no_copies(tmp_path: Path) -> None:
    assert found(tmp_path, *OTHERS) == []


def test_equal_pictures_with_other_motions_are_no_copies(tmp_path: Path) -> None:
    """A simulator shows the same from afar while a tool goes elsewhere."""
    first, other = outline("ep-a", 1), outline("ep-b", 1)
    slower = Outline(**{**vars(other), "path": path(2).astype(np.float32)})
    assert found(tmp_path, first, slower) == []


def test_less_than_four_fifths_of_a_recording_is_no_copy(tmp_path: Path) -> None:
    assert found(tmp_path, outline("ep-a", 1), outline("ep-b", 1, part=(0.0, 0.5))) == []


def test_still_pictures_say_nothing(tmp_path: Path) -> None:
    still = [Outline(**{**vars(outline(name, 1)), "views": outline(name, 1).views[:1]}) for name in ("ep-a", "ep-b")]
    assert found(tmp_path, *still) == []
    assert find_copies([], tmp_path) == []


def test_order_and_batches_change_nothing(tmp_path: Path) -> None:
    outlines = [*OTHERS, *(outline(f"ep-{name}", seed, noise=0.3) for seed in range(3) for name in (seed, f"{seed}-b"))]
    together = find_copies([outlines], tmp_path)
    assert [(copy.first, copy.second) for copy in together] == [(f"ep-{i}", f"ep-{i}-b") for i in range(3)]
    assert find_copies([outlines[7:][::-1], [], outlines[:7]], tmp_path) == together


def test_many_films_go_through_an_inverted_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outlines = [*OTHERS, outline("ep-a", 1), outline("ep-b", 1, noise=0.5)]
    exact = find_copies([outlines], tmp_path)
    monkeypatch.setattr(copies, "EXACT_BELOW", 5)
    assert find_copies([outlines], tmp_path) == exact != []


@pytest.mark.parametrize("seed", range(0, 20, 2))
def test_the_quick_look_says_what_the_slow_one_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a_s, b_s = 20.0, float(rng.uniform(16.0, 24.0))
    parts = ((0.0, 1.0), (rng.uniform(0, 0.1), rng.uniform(0.9, 1.0)))
    films = [film(seed, *part).astype(np.float64) for part in parts]
    clocks = [copies._Clock(a_s, b_s, b_s / a_s, 0.0), *copies._lags(a_s, b_s)]
    slow = max(copies._alike(films[0], films[1], clock) for clock in clocks)
    assert copies._most_alike(films[0], films[1], clocks) == pytest.approx(slow, abs=copies._ROUNDING / 10)
