"""Operations are counted as torch's own counter finds them, forward and backward, pack by pack."""

from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.trainer.events import example, losses, noised, small
from trainer.batch import Example
from trainer.configs import ModelConfig, tiny
from trainer.flops import flops_of, known_peak, peak_flops
from trainer.model.wam import build
from trainer.stages import STAGES, StageName, freeze

PACKS = {
    "one view": (example(),),
    "two views and ragged lengths": (example(views=2, frames=13), example(actions=3, seed=1), example(views=2, seed=2)),
    "no actions": (example(actions=0, frames=17),),
}
OF_TORCHS = 0.03
"""First layers have no gradient of their inputs, which is counted here and not spent there."""


def counted(config: ModelConfig, events: tuple[Example, ...], stage: StageName, *, backward: bool) -> int:
    model = build(config, 0)
    freeze(model, STAGES[stage])
    batch, noise, seen = noised(events, range(len(events)))
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter:  # plain products of matrices, which the counter knows on every machine
        predicted = model(batch, seen)
        if backward:
            video, action = losses(predicted, batch, noise, seen)
            (video * STAGES[stage].video_loss + action).backward()
    return int(counter.get_total_flops())


@pytest.mark.parametrize("name", PACKS)
def test_a_forward_pass_has_exactly_the_operations_torch_counts(name: str) -> None:
    config = tiny().model
    batch = noised(PACKS[name], range(len(PACKS[name])))[0]
    flops = flops_of(batch, config)
    assert flops.video + flops.action == counted(config, PACKS[name], "joint", backward=False)


@pytest.mark.parametrize("every", [0, 2])
def test_layers_without_a_cross_view_branch_are_not_counted_as_with_one(every: int) -> None:
    config = replace(tiny().model, video=replace(tiny().model.video, cross_view_every=every))
    events = PACKS["two views and ragged lengths"]
    flops = flops_of(noised(events, range(3))[0], config)
    assert flops.video + flops.action == counted(config, events, "joint", backward=False)


@pytest.mark.parametrize("stage", ["joint", "action"])
def test_a_step_is_within_a_few_percent_of_what_torch_counts(stage: StageName) -> None:
    events = PACKS["two views and ragged lengths"]
    ours = flops_of(noised(events, range(3))[0], tiny().model).of_step(STAGES[stage])
    assert ours == pytest.approx(counted(tiny().model, events, stage, backward=True), rel=OF_TORCHS)


def test_a_stage_without_actions_needs_none_of_their_operations() -> None:
    flops = flops_of(noised(PACKS["one view"], [0])[0], small().model)
    assert flops.of_step(STAGES["video"]) == 3 * flops.video
    assert flops.of_step(STAGES["action"]) == flops.video + 3 * flops.action


def test_segments_are_counted_and_not_the_square_of_the_pack() -> None:
    one, four = (flops_of(noised([example()] * n, range(n))[0], small().model).video for n in (1, 4))
    assert four == 4 * one


def test_a_device_is_known_by_its_name_and_its_most_particular_one() -> None:
    assert known_peak("NVIDIA H100 80GB HBM3", torch.bfloat16) == 989.4e12
    assert known_peak("NVIDIA H100 PCIe", torch.bfloat16) == 756e12
    assert known_peak("NVIDIA A100-SXM4-80GB", torch.float32) == 19.5e12
    assert known_peak("NVIDIA L40S", torch.bfloat16) == 362e12
    assert known_peak("Tesla V100-SXM2-16GB", torch.bfloat16) is None
    assert known_peak("Something of next year", torch.bfloat16) is None


def test_a_cpu_is_asked_and_a_person_believed() -> None:
    cpu = torch.device("cpu")
    measured = peak_flops(cpu, torch.float32)
    assert measured is not None
    assert 1e8 < measured < 1e14
    assert peak_flops(cpu, torch.float32, tflops=2.0) == 2e12
