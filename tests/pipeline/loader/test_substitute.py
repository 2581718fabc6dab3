"""What takes a window's place: of its cell, about its length and never longer, the same every time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.loader.plan import Arrays
from pipeline.loader.substitute import bucket_of, substitutes
from schemas.load_plan import PlannedDraw, WindowKind
from schemas.recipe_load import LoadSpec

SPEC = LoadSpec()


def columns(seed: int, n: int = 60) -> Arrays:
    rng = np.random.default_rng(seed)
    return {
        "draw": rng.permutation(n),
        "event": rng.integers(0, 25, n),
        "cell": rng.integers(0, 3, n),
        "kind": rng.integers(0, 2, n),
        "first_frame": rng.integers(0, 9, n),
        "n_frames": rng.integers(5, 99, n),
        "n_tokens": rng.integers(30, 200, n),
    }


def draw_of(found: Arrays, row: int) -> PlannedDraw:
    given = {name: int(values[row]) for name, values in found.items()}
    return PlannedDraw(**{**given, "kind": WindowKind(given["kind"])})


@given(st.integers(0, 10**6), st.integers(0, 59))
def test_every_event_of_the_cell_is_tried_once_and_fits(seed: int, row: int) -> None:
    found = columns(seed)
    draw = draw_of(found, row)
    tried = list(substitutes(found, draw, SPEC))
    assert all(item.n_tokens <= draw.n_tokens for item in tried)
    events = [item.event for item in tried]
    same_cell = found["event"][found["cell"] == draw.cell].tolist()
    assert len(events) == len(set(events))
    assert set(events) <= set(same_cell) - {draw.event}
    fitting = (found["cell"] == draw.cell) & (found["n_tokens"] <= draw.n_tokens)
    assert set(found["event"][fitting].tolist()) - {draw.event} <= set(events), "no event that fits is left out"


def test_windows_of_the_same_kind_and_length_come_first() -> None:
    found = columns(1)
    for row in range(60):
        draw = draw_of(found, row)
        fits = (found["cell"] == draw.cell) & (found["n_tokens"] <= draw.n_tokens) & (found["event"] != draw.event)
        lengths = np.array([bucket_of(n_tokens) for n_tokens in found["n_tokens"].tolist()])
        alike = fits & (found["kind"] == draw.kind) & (lengths == bucket_of(draw.n_tokens))
        tried = [item.event for item in substitutes(found, draw, SPEC)]
        expected = set(found["event"][alike].tolist())
        assert set(tried[: len(expected)]) == expected, "no other before one that is alike"


def test_the_order_of_rows_plays_no_part_and_the_seed_does() -> None:
    found = columns(2)
    draw = draw_of(found, 5)
    rows = np.random.default_rng(0).permutation(60)
    again = {name: values[rows] for name, values in found.items()}
    assert list(substitutes(again, draw, SPEC)) == list(substitutes(found, draw, SPEC))
    found = columns(2, 600)
    long = int(np.argmax(found["n_tokens"]))
    specs = [SPEC.model_copy(update={"seed": seed}) for seed in range(30)]
    orders = {tuple(item.event for item in substitutes(found, draw_of(found, long), spec)) for spec in specs}
    assert len(orders) > 20


def test_the_shortest_window_of_a_cell_is_replaced_by_the_end_of_a_longer_one() -> None:
    found: Arrays = {
        "draw": np.array([0, 1]),
        "event": np.array([4, 9]),
        "cell": np.array([0, 0]),
        "kind": np.array([0, 0]),
        "first_frame": np.array([0, 2]),
        "n_frames": np.array([9, 30]),
        "n_tokens": np.array([57, 97]),
    }
    (taken,) = substitutes(found, draw_of(found, 0), SPEC)
    assert (taken.event, taken.kind, taken.first_frame + taken.n_frames) == (9, WindowKind.SUFFIX, 32)
    latents = 1 + (taken.n_frames - 1) // SPEC.frames_per_latent
    most = SPEC.max_views * SPEC.tokens_per_latent * latents + 1 + SPEC.max_actions
    assert most <= taken.n_tokens == 57
    assert taken.n_frames == 9, "as long as fits: 3 latents of 2 views, the most actions and the state"
