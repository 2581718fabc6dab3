"""The latency report: every way that makes sense is asked, and stages add up to the answer."""

from dataclasses import replace

import pytest
import torch

from pipeline.loader.decode import Pixels
from tests.trainer.events import lively, small, talking
from tests.trainer.pretrained import small_wan
from trainer.batch import pack
from trainer.codec import ToyCodec
from trainer.compress.fp8_config import Fp8Config
from trainer.compress.fp8_linear import Fp8Linear
from trainer.compress.latency import STAGES, Asked, Event, Mode, example_like, in_precision, measure, ways
from trainer.configs import CONFIGS, TrainConfig, tiny
from trainer.model.wam import WallWM

CPU = torch.device("cpu")
ANSWERS = 3
"""One that is measured, and two before it."""


def deeper() -> TrainConfig:
    """Three blocks, so that one is left to quantise."""
    own = small()
    return replace(own, model=replace(own.model, video=replace(own.model.video, depth=3)))


def test_there_is_a_line_for_each_way_and_stages_add_up() -> None:
    config = deeper()
    asked = ways(CPU, steps=(1, 2))
    rows = list(measure(lively(config.model), config, Event(9, 4, 2), asked, repeats=2))
    assert [row.asked for row in rows] == asked
    assert {(row.asked.mode, row.asked.precision) for row in rows} == {
        (mode, precision) for mode in ("symmetric", "asymmetric") for precision in ("float32", "bfloat16", "fp8")
    }
    for row in rows:
        assert all(row.p50_ms[name] > 0 for name in STAGES)
        assert row.p50_ms["all"] <= row.p95_ms["all"]
    assert {row.note for row in rows} == {"", "0 of 28 FP8 layers by kernel, the others simulated"}


def test_one_answer_is_the_sum_of_its_stages() -> None:
    config = small()
    (row,) = measure(lively(config.model), config, Event(9, 4, 1), [Asked("symmetric", 2, "float32")], repeats=1)
    assert row.p50_ms["all"] == pytest.approx(sum(row.p50_ms[name] for name in STAGES))


def test_graphs_are_asked_for_where_there_is_cuda_only() -> None:
    assert not any(way.graphs for way in ways(CPU))
    assert any(way.graphs for way in ways(torch.device("cuda")))


def test_the_model_is_left_as_it_was() -> None:
    config = deeper()
    model = lively(config.model)
    quantised, note = in_precision(model, "fp8")
    assert any(isinstance(layer, Fp8Linear) for layer in quantised.modules())
    assert not any(isinstance(layer, Fp8Linear) for layer in model.modules())
    assert "simulated" in note
    assert in_precision(model, "bfloat16") == (model, "")
    assert Fp8Config().left_alone


def test_an_event_is_as_long_as_asked() -> None:
    made = example_like(tiny(), Event(frames=33, actions=20, views=2))
    assert made.latents_VFCHW.shape[:2] == (2, 9)
    assert len(made.actions_KA) == 20
    assert made.tau_K.tolist() == [k * 8 // 20 + 1 for k in range(20)]


@pytest.mark.parametrize("name", ["wan21-1.3b", "wan22-5b"])
def test_a_made_up_event_has_the_shapes_of_its_configuration(name: str) -> None:
    config = CONFIGS[name]()
    batch = pack([example_like(config, Event(frames=9, actions=8, views=3))])
    with torch.device("meta"):
        model = WallWM(config.model)
    assert batch.video.clean_TP.shape == (3 * 3 * 240, model.video.patch_embedding.in_features)
    assert model.read(batch.text).shape == (512, 4096)
    batch.text.read_by.slices()  # raises where words and features do not add up


class Counted(ToyCodec):
    """How often pictures are coded, and back."""

    def __init__(self) -> None:
        self.encoded = self.decoded = 0

    def encode(self, pixels_THW3: Pixels) -> torch.Tensor:
        self.encoded += 1
        return super().encode(pixels_THW3)

    def decode(self, latents_FCHW: torch.Tensor) -> Pixels:
        self.decoded += 1
        return super().decode(latents_FCHW)


@pytest.mark.parametrize(("mode", "decoded"), [("symmetric", 2), ("asymmetric", 0)])
def test_both_views_are_coded_and_what_is_imagined_is_decoded(mode: Mode, decoded: int) -> None:
    config, codec = small(), Counted()
    (row,) = measure(lively(config.model), config, Event(9, 4, 2), [Asked(mode, 1, "float32")], 1, codec)
    assert (codec.encoded, codec.decoded, row.note) == (2 * ANSWERS, decoded * ANSWERS, "")


def test_a_codec_that_is_not_there_is_said() -> None:
    config = small_wan()
    (row,) = measure(lively(config.model), config, Event(9, 4, 2), [Asked("symmetric", 1, "float32")], repeats=1)
    assert row.note == "without the VAE"


def test_what_actions_see_does_not_matter_for_who_measures() -> None:
    config = talking()
    config = replace(config, model=replace(config.model, action=replace(config.model.action, sees="observed")))
    rows = list(measure(lively(config.model), config, Event(9, 4, 2), ways(CPU, (2,), ("float32",)), repeats=1))
    assert [row.asked.mode for row in rows] == ["symmetric", "asymmetric"]
