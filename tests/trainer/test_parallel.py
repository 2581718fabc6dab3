"""Several ranks, real processes over gloo: the same steps, the same losses (T13), and checkpoints for any number."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.journal import LOG
from trainer.parallel import Ranks, device_of, joined

ROOT = Path(__file__).resolve().parents[2]


def trained(out: Path, world: int, *options: str) -> list[dict[str, Any]]:
    program = ["-m", "tests.trainer.rank_program", str(out), *options]
    launcher = [] if world == 1 else ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(world)]
    done = subprocess.run(
        [sys.executable, *launcher, *program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads(line) for line in (out / LOG).read_text().splitlines()]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return trained(tmp_path_factory.mktemp("alone"), 1)


def assert_same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert len(found) == len(expected)
    for own, other in zip(found, expected, strict=True):
        assert own == pytest.approx(other, abs=1e-5, rel=1e-4)


def test_two_ranks_train_as_one_does(alone: list[dict[str, Any]], tmp_path: Path) -> None:
    assert_same(trained(tmp_path, 2), alone)


@pytest.mark.slow
def test_four_ranks_that_share_the_model_train_as_one_does(alone: list[dict[str, Any]], tmp_path: Path) -> None:
    """FSDP2; five packs among four ranks, so three of them repeat one without weight."""
    assert_same(trained(tmp_path, 4, "--spread", "shard"), alone)


@pytest.mark.slow
def test_muon_moves_a_sharded_matrix_as_a_whole_one(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", 1, "--muon")
    assert_same(trained(tmp_path / "parts", 2, "--muon", "--spread", "shard"), whole)


@pytest.mark.slow
def test_a_checkpoint_of_two_sharded_ranks_goes_on_in_one(alone: list[dict[str, Any]], tmp_path: Path) -> None:
    trained(tmp_path, 2, "--spread", "shard", "--until", "2")
    assert_same(trained(tmp_path, 1, "--resume", str(tmp_path)), alone)


def test_without_torchrun_there_is_one_rank() -> None:
    with joined("cpu") as ranks:
        assert ranks == Ranks(0, 1, torch.device("cpu"))
        assert ranks.summed([1.5, 2.0]) == [1.5, 2.0]
        assert ranks.most(3.0) == 3.0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_that_is_not_there_is_refused() -> None:
    assert device_of("auto", 0).type == "cpu"
    with pytest.raises(ValueError, match="torch finds no CUDA device"):
        device_of("cuda", 0)
