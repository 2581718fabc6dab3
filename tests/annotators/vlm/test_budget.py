"""What a window costs: image tokens as the processors count, text nearly so, and a plan that holds."""

import json

import pytest

from annotators.vlm.budget import (
    CALLS_PER_MINUTE,
    LAYOUTS,
    TOKENS_PER_MINUTE,
    Cost,
    Density,
    ImageRule,
    canary_cost,
    episode_cost,
    image_tokens,
    layout_for,
    per_hour,
    rephrase_cost,
    request_tokens,
    text_tokens,
    window_cost,
)
from annotators.vlm.canary import canary_request, draw_canary
from annotators.vlm.conversation import conversation, converse, density_of, terms
from annotators.vlm.prompt import load_prompt
from annotators.vlm.rephrase import MOST_SENTENCES, rephrase_request, sentences_of
from annotators.vlm.request import Call
from annotators.vlm.tile import aspect_of, decoded
from annotators.words.captions import template_captions
from annotators.words.template import load_templates
from benchmarks.vlm_budget import RESULTS
from pipeline.synthetic.trajectory import Variant
from tests.annotators.recordings import even_times, make_episode
from tests.annotators.vlm.oracle import Oracle, by_window, scenes

QWEN3 = ImageRule()
EPISODE = make_episode(even_times(10, 10), 10**9)
QWEN25 = ImageRule(28, 28 * 28 * 16_384, 56 * 56)
COUNTED = {
    "C014,11.3,motion,10>10,-3,6,30\nC015,11.9,motion\nC016,12.7,grasp,10>0,-4,4,64": 61,
    '{"end":"C016","l2":2,"l1":7,"verb":"grasp","text":"Grasp the blue can with the right arm","object":"blue can"}': 40,  # noqa: E501
    "Judge by the pictures. Each event is shown by three tiles: its start, its middle and its end.": 22,
    "E07 12.7-13.1 blue can: a=release b=grasp c=move cuts C018@13.5": 36,
}
"""Lines of real prompts and their tokens, counted with Qwen's vocabulary (benchmarks/qwen_vocabulary.py)."""


@pytest.mark.parametrize(
    ("size", "qwen3", "qwen25"),
    [
        ((1120, 896), 980, 1280), ((1120, 576), 630, 840), ((1120, 150), 175, 200), ((960, 896), 840, 1088),
        ((100, 60), 77, 8), ((384, 320), 120, 154), ((5000, 5000), 16384, 16129),
    ],
)  # fmt: skip
def test_image_tokens_are_what_the_processors_of_transformers_make(
    size: tuple[int, int], qwen3: int, qwen25: int
) -> None:
    """Expected values from its ``smart_resize``."""
    assert (image_tokens(*size, QWEN3), image_tokens(*size, QWEN25)) == (qwen3, qwen25)


def test_a_full_sheet_is_never_shrunk() -> None:
    """Not even by the smallest limit processors come with, 1280 tokens."""
    assert image_tokens(1120, 896, QWEN25) <= 1280


def test_text_tokens_are_estimated_within_a_few_percent() -> None:
    estimated = sum(text_tokens(text) for text in COUNTED)
    assert estimated == pytest.approx(sum(COUNTED.values()), rel=0.08)


def test_other_scripts_cost_about_a_token_a_letter() -> None:
    assert text_tokens("拿起红色的杯子") == 7


def test_the_plan_of_a_made_up_episode_holds() -> None:
    """Against the requests that a run makes of it, answers included."""
    found = scenes(0, (Variant.PLAIN, Variant.SLIP, Variant.MISS))
    window, aspect = found[0].window, aspect_of(found[0].pictures.master[0].jpeg)
    oracle = Oracle(by_window(*found))
    converse({s.window.window_id: conversation(s.window, s.pictures, terms("m")) for s in found}, oracle)
    prompts = 0
    for request in oracle.asked:
        sizes = [(p.shape[1], p.shape[0]) for p in map(decoded, request.images)]
        prompts += request_tokens(request.system, request.text, sizes, QWEN3)
    planned = episode_cost(window.duration_s, aspect, QWEN3, density_of([s.window for s in found]))
    assert len(oracle.asked) == 2
    assert planned.prompt_tokens / 1.1 == pytest.approx(prompts, rel=0.2)


def test_a_window_gets_the_fullest_layout_it_can_pay_for() -> None:
    calm, busy = Density(15, 30, 2), Density(70, 90, 20)
    assert layout_for(60, 16 / 9, QWEN3, calm, TOKENS_PER_MINUTE) is LAYOUTS[0]
    tight = layout_for(60, 4 / 3, QWEN3, busy, TOKENS_PER_MINUTE)
    assert LAYOUTS.index(tight) > 0
    assert window_cost(60, 4 / 3, tight, QWEN3, busy).tokens <= TOKENS_PER_MINUTE


def test_layouts_go_from_dear_to_cheap() -> None:
    costs = [window_cost(60, 4 / 3, layout, QWEN3).tokens for layout in LAYOUTS]
    assert costs == sorted(costs, reverse=True)


def test_a_window_too_short_to_be_cheap_is_at_least_shown_well() -> None:
    assert layout_for(8, 4 / 3, QWEN3, Density(), 1000.0) is LAYOUTS[1]
    assert layout_for(80, 4 / 3, QWEN3, Density(), 1000.0) is LAYOUTS[-1]


def test_longer_episodes_are_divided_before_they_are_counted() -> None:
    one, four = episode_cost(80, 1.5, QWEN3), episode_cost(320, 1.5, QWEN3)
    assert four.calls == pytest.approx(4 * one.calls)
    assert four.tokens == pytest.approx(4 * one.tokens)
    assert episode_cost(0, 1.5, QWEN3) == Cost()


def test_canaries_and_rephrasings_are_planned_too() -> None:
    canary = canary_request(draw_canary("wi-1"), model="m", prompt=load_prompt(Call.CANARY))
    (size,) = [(p.shape[1], p.shape[0]) for p in map(decoded, canary.images)]
    riding = canary_cost(320, QWEN3, longest_s=80, one_in=2)
    assert riding.calls == pytest.approx(2)
    assert riding.prompt_tokens == pytest.approx(2 * request_tokens(canary.system, canary.text, [size], QWEN3), rel=0.1)
    found = scenes(0, (Variant.PLAIN, Variant.SLIP, Variant.MISS))
    sentences = list(sentences_of(template_captions(found[0].tree, EPISODE, load_templates("en"), with_duration=True)))
    said = rephrase_request("ep", sentences, language="en", count=2, model="m", prompt=load_prompt(Call.REPHRASE))
    density = density_of([s.window for s in found])
    planned = rephrase_cost(found[0].window.duration_s, density, count=2, languages=1)
    assert planned.calls >= len(sentences) / MOST_SENTENCES
    assert planned.prompt_tokens >= request_tokens(said.system, said.text, [], QWEN3)
    assert rephrase_cost(600, Density(30, 60, 8), count=1, languages=2).calls == 2 * 17
    assert rephrase_cost(600, Density(), count=0, languages=1) == canary_cost(600, QWEN3, one_in=0) == Cost()


@pytest.mark.parametrize("minutes", [1, 2, 5, 30, 61])
def test_an_hour_of_long_recordings_stays_in_the_budget(minutes: float) -> None:
    cost = per_hour(episode_cost(minutes * 60, 4 / 3, QWEN3), round(minutes * 60e9))
    assert cost.calls <= 60 * CALLS_PER_MINUTE
    assert cost.tokens <= 60 * TOKENS_PER_MINUTE


def test_the_measured_budget_is_kept_where_windows_are_about_a_minute() -> None:
    """The committed counts of benchmarks/vlm_budget.py: real prompts, real vocabulary, both processors."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    for processor, groups in found.items():
        minute = groups["made, one arm"]
        assert minute["mean_window_s"] > 55, processor
        assert minute["calls_per_minute"] <= CALLS_PER_MINUTE
        assert minute["tokens_per_minute"] <= TOKENS_PER_MINUTE
        assert all(group["calls_per_window"] <= CALLS_PER_MINUTE for group in groups.values())
        assert all(0.9 < group["estimate_over_count_of_prompts"] < 1.1 for group in groups.values())
