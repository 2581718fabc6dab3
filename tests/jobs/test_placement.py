"""What a stage declares decides where and in which portions it runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from clustering import embed
from jobs.placement import Placement, placement
from jobs.river import RIVER, stage_named
from jobs.run import run_recipe
from pipeline.errors import JoineryError
from schemas.recipe_file import LoadedRecipe
from tests.jobs.runs import Silent

Load = Callable[..., LoadedRecipe]

ENCODER = "embed.vision_language={encoder: open_clip, model: ViT-S-32-alt, device: %s}"


def test_without_a_model_no_stage_asks_for_processes_of_its_own_or_gpus(load: Load) -> None:
    for stage in RIVER:
        found = placement(stage, load("run.batch_items=3").recipe)
        assert found in (Placement(3), Placement(24))
        assert (found.items == 3) == stage.reads_source


@pytest.mark.parametrize(("device", "gpus"), [("cpu", 0.0), ("cuda", 0.25)])
def test_an_encoder_with_weights_asks_for_both(load: Load, device: str, gpus: float) -> None:
    recipe = load(ENCODER % device, "run.gpu_share=0.25").recipe
    assert placement(embed.STAGE, recipe) == Placement(256, holds_model=True, gpus=gpus)
    assert not any(placement(stage, recipe).holds_model for stage in RIVER if stage.name != "embed")


def test_a_gpu_that_nobody_has_is_told_before_any_stage_runs(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.inline.cuda_is_here", lambda: False)
    with pytest.raises(JoineryError, match=r"stage embed: .* 1 GPU per process .* no machine of the inline executor"):
        run_recipe(load(ENCODER % "cuda"), Silent())


def test_a_checkpoint_that_does_not_fit_is_told_before_a_workspace_is_made(load: Load, tmp_path: Path) -> None:
    wrong = tmp_path / "weights.pt"
    wrong.write_bytes(b"not weights")
    loaded = load(ENCODER.replace("device: %s", f"checkpoint: {wrong}"))
    with pytest.raises(JoineryError, match=r"weights\.pt does not hold the weights of ViT-S-32-alt"):
        run_recipe(loaded, Silent())
    assert not Path(loaded.recipe.workspace.url).exists()


def test_every_stage_that_holds_a_model_can_be_asked_for_it(load: Load) -> None:
    recipe = load(ENCODER % "cpu").recipe
    holding = [stage for stage in RIVER if placement(stage, recipe).holds_model]
    assert holding == [stage_named("embed")]
    assert all(stage.model is not None for stage in holding)
