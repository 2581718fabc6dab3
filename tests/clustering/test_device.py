"""Where an encoder computes is decided once, before any work key is made."""

from pathlib import Path

import pytest

from clustering.device import CPU_BATCH, CUDA_BATCH, settled
from schemas.recipe import EmbedSpec, OpenClipEncoder, Recipe, WorkspaceSpec
from schemas.recipe_formats.lerobot import LeRobotSource
from schemas.source_card import SourceCard


def recipe(embed: EmbedSpec) -> Recipe:
    source = LeRobotSource(format="lerobot", name="a", path="b", card=SourceCard(licence="CC0-1.0"))
    return Recipe(joinery=1, workspace=WorkspaceSpec(url="w"), sources=[source], embed=embed)


@pytest.mark.parametrize(("here", "device", "batch"), [(True, "cuda", CUDA_BATCH), (False, "cpu", CPU_BATCH)])
def test_auto_becomes_what_there_is_and_stays_so(
    here: bool, device: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clustering.device.cuda_is_here", lambda: here)
    once = settled(recipe(EmbedSpec(vision_language=OpenClipEncoder(encoder="open_clip"))))
    assert isinstance(once.embed.vision_language, OpenClipEncoder)
    assert (once.embed.vision_language.device, once.embed.vision_language.batch) == (device, batch)
    monkeypatch.setattr("clustering.device.cuda_is_here", lambda: not here)
    assert settled(once) == once


def test_workers_are_told_which_checkpoint_the_run_began_with(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    file.write_bytes(b"weights")
    told = settled(recipe(EmbedSpec(vision_language=OpenClipEncoder(encoder="open_clip", checkpoint=str(file)))))
    assert isinstance(told.embed.vision_language, OpenClipEncoder)
    assert told.embed.vision_language.sha256 is not None


def test_the_encoder_without_weights_has_nothing_to_settle() -> None:
    plain = recipe(EmbedSpec())
    assert settled(plain) is plain
