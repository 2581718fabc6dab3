"""``joinery train`` on a published shard set: start, resume, overfit, and the mistakes people make."""

import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from jobs.compile import Extent, compile_load_plan
from jobs.train import TrainRequest, stage_of, steps_of, train_on
from pipeline.errors import JoineryError, StoreError
from pipeline.loader.chronicle import Chronicle
from pipeline.loader.consumption import read_consumption
from pipeline.loader.plan_loader import PlanLoader
from pipeline.loader.reader import ShardSet
from tests.pipeline.shards.corpus import published_set
from tests.trainer.events import small
from tests.trainer.killed_run import config
from tests.trainer.serving import ROOT
from trainer.batch import asked_at_the_end
from trainer.checkpoint import load_weights
from trainer.configs import CONFIGS, load_spec, tiny, tiny_language
from trainer.journal import LOG
from trainer.loop import StepLog
from trainer.model.wam import build
from trainer.run import RunOptions, TrainReport, one_event, planned, started_from, train
from trainer.stages import FIVE, STAGES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small shard set, cut from film and published as any other; nobody may change it."""
    return published_set(tmp_path_factory.getbasetemp() / "published")


def request(folder: str, out: Path, **changes: object) -> TrainRequest:
    return replace(TrainRequest(folder, out, "tiny", 3), **changes)  # type: ignore[arg-type]


def trained(
    asked: TrainRequest, *, resume: bool = False, start: Path | None = None
) -> tuple[TrainReport, list[StepLog]]:
    seen: list[StepLog] = []
    return train_on(asked, RunOptions(resume, start=start), lambda _n_steps: seen.append), seen


def test_training_reads_a_plan_and_leaves_checkpoint_log_and_ledger(folder: str, tmp_path: Path) -> None:
    asked = request(folder, tmp_path / "out")
    report, seen = trained(asked)
    assert [line.step for line in seen] == [1, 2, 3]
    assert (report.first, report.last) == (seen[0], seen[-1])
    assert report.tokens == sum(line.tokens for line in seen)
    assert report.checkpoint.is_dir()
    assert len(report.log.read_text().splitlines()) == 3
    assert any((tmp_path / "out" / "ledger").iterdir())


def test_a_run_killed_outright_goes_on_as_if_nothing_had_been(folder: str, tmp_path: Path) -> None:
    """T12: SIGKILL between two checkpoints; the same log, the same weights, and each window consumed as often."""
    for name in ("whole", "parts"):
        compile_load_plan(folder, str(tmp_path / name / "plan"), load_spec(config()), Extent(steps=6))
    command = [sys.executable, "-m", "tests.trainer.killed_run", folder, str(tmp_path / "parts"), "5"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert [path.name for path in sorted((tmp_path / "parts" / "run").glob("step-*"))] == ["step-00000003"]
    for name, resume in (("whole", False), ("parts", True)):
        out = tmp_path / name
        steps = planned(folder, str(out / "plan"), config(), out / "ledger")
        train(steps, config(), out / "run", RunOptions(resume))
    whole, parts = (tmp_path / name for name in ("whole", "parts"))
    assert (whole / "run" / LOG).read_bytes() == (parts / "run" / LOG).read_bytes()
    models = [build(config().model, 1) for _ in range(2)]
    for out, model in zip((whole, parts), models, strict=True):
        load_weights(out / "run" / "step-00000006", model, averaged=False)
    pairs = zip(models[0].parameters(), models[1].parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    read, again = (read_consumption(out / "ledger") for out in (whole, parts))
    assert len(read.steps) == 6
    draws, drawn_again = ([record.draws.tolist() for step in each.steps for record in step] for each in (read, again))
    assert draws == drawn_again
    assert read.n_voided == 0 < again.n_voided, "steps after the checkpoint were read a second time"


def test_examples_have_the_tokens_their_plan_has_counted(folder: str, tmp_path: Path) -> None:
    asked = request(folder, tmp_path / "out", n_steps=6)
    steps = steps_of(asked, tiny())
    with PlanLoader(str(tmp_path / "out" / "plan"), folder) as loader:
        counted = [window.n_tokens for step in loader for pack in step.packs for window in pack.windows]
    with steps.read(0, 0, 1) as read:
        found = [example.n_tokens for step in read for pack in step.packs for example in pack.examples]
    assert len(found) == len(counted) > 6
    assert all(own <= planned for own, planned in zip(found, counted, strict=True))
    assert sum(found) > 0.9 * sum(counted), "parts of events are counted with both ends rounded outwards"


def test_events_with_and_without_actions_are_both_read(folder: str, tmp_path: Path) -> None:
    with steps_of(request(folder, tmp_path, n_steps=12), tiny()).read(0, 0, 1) as read:
        examples = [example for step in read for pack in step.packs for example in pack.examples]
    with_actions = [each for each in examples if len(each.actions_KA)]
    assert 0 < len(with_actions) < len(examples)
    for each in with_actions:
        assert each.actions_KA[:, each.action_known_A].abs().max() < 12, "normalised"
    assert {len(each.latents_VFCHW) for each in examples} <= {1, 2}


def test_a_run_is_continued_only_when_asked_to(folder: str, tmp_path: Path) -> None:
    asked = request(folder, tmp_path / "out", n_steps=2)
    with pytest.raises(JoineryError, match="no checkpoint to resume"):
        trained(replace(asked, out=tmp_path / "other"), resume=True)
    trained(asked)
    with pytest.raises(JoineryError, match="a run is there already; pass --resume"):
        trained(asked)
    report, _ = trained(asked, resume=True)
    assert (report.first_step, report.first) == (2, None)


def test_a_run_killed_before_its_first_checkpoint_begins_again_with_its_plan(folder: str, tmp_path: Path) -> None:
    asked = request(folder, tmp_path / "out", n_steps=2)
    steps_of(asked, tiny())
    assert trained(asked)[0].last is not None
    steps_of(replace(asked, out=tmp_path / "other"), tiny())
    with pytest.raises(JoineryError, match="a load plan is there already"):
        trained(replace(asked, out=tmp_path / "other", n_steps=3))


def test_a_plan_that_counts_otherwise_is_refused(folder: str, tmp_path: Path) -> None:
    steps_of(request(folder, tmp_path), tiny())
    other = replace(tiny(), data=replace(tiny().data, max_actions=8))
    with pytest.raises(ValueError, match=r"load\.max_actions = 32, configuration tiny wants 8"):
        planned(folder, str(tmp_path / "plan"), other, tmp_path / "ledger", workers=0, storage=None)
    assert load_spec(other).max_actions == 8


def test_overfitting_sees_one_event_only(folder: str, tmp_path: Path) -> None:
    steps = one_event(folder, "2", small(), 2, None)
    with steps.read(0, 0, 1) as read:
        ids = {example.event_id for step in read for pack in step.packs for example in pack.examples}
    assert len(ids) == 1
    assert steps.identity == f"{ids.pop()} alone"
    report = train(steps, small(), tmp_path / "out")
    assert report.last is not None


@pytest.mark.parametrize("event", ["999", "ev-unknown"])
def test_an_unknown_event_is_refused(folder: str, event: str, tmp_path: Path) -> None:
    with pytest.raises(JoineryError, match=f"--overfit {event}: "):
        trained(request(folder, tmp_path, overfit=event))


def test_an_unknown_configuration_is_refused(folder: str, tmp_path: Path) -> None:
    with pytest.raises(JoineryError, match=f"--config huge: no such configuration; there are {sorted(CONFIGS)[0]}"):
        trained(request(folder, tmp_path, config="huge"))


def test_a_folder_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="expected the folder of a published shard set"):
        trained(request(str(tmp_path), tmp_path / "out"))


def test_stages_follow_one_another_each_from_what_the_one_before_has_left(folder: str, tmp_path: Path) -> None:
    start: Path | None = None
    for stage in FIVE:
        asked = request(folder, tmp_path / stage, n_steps=2, stage=stage, config="tiny-language")
        report, _ = trained(asked, start=start)
        if start is not None:
            left, taken = (checkpoint_weights(run) for run in (start, tmp_path / stage))
            changed = {name for name, value in taken.items() if not torch.equal(value, left[name])}
            assert changed
            assert all(re.match(STAGES[stage].moves, name) for name in changed)
        assert report.last is not None
        start = tmp_path / stage


def checkpoint_weights(run: Path) -> dict[str, torch.Tensor]:
    """All parameters a run has left."""
    model = build(tiny_language().model, 1)
    load_weights(started_from(run), model, averaged=True)
    return dict(model.named_parameters())


def test_a_stage_that_needs_an_earlier_one_says_so(folder: str, tmp_path: Path) -> None:
    for stage, needed in (("action", "a video tower"), ("staircase", "both towers and the language heads")):
        with pytest.raises(JoineryError, match=f"--stage {stage}: trains on {needed} .* --from RUN"):
            trained(request(folder, tmp_path / "out", stage=stage))


def test_a_run_of_another_model_is_no_start(folder: str, tmp_path: Path) -> None:
    steps = one_event(folder, "2", small(), 1, None)
    train(steps, small(), tmp_path / "narrow")
    with pytest.raises(JoineryError, match=r"is \[.*\] there and \[.*\] here; a stage starts from a run of the same"):
        trained(request(folder, tmp_path / "out", stage="action", overfit="2"), start=tmp_path / "narrow")
    with pytest.raises(JoineryError, match=r"--from .*nowhere: no checkpoint there"):
        trained(request(folder, tmp_path / "out", overfit="2"), start=tmp_path / "nowhere")


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(JoineryError, match="--stage dream: no such stage; there are joint, video"):
        stage_of("dream")
    assert stage_of("adapt") == "adapt"
    assert stage_of(None) is None


def test_stories_hold_what_came_before_and_what_follows(folder: str, tmp_path: Path) -> None:
    with steps_of(request(folder, tmp_path, n_steps=12), tiny_language()).read(0, 0, 1) as read:
        examples = [example for step in read for pack in step.packs for example in pack.examples]
    chronicle = Chronicle.read(ShardSet.open(folder))
    assert any(each.story.before for each in examples if each.story)
    assert any(each.story.after for each in examples if each.story)
    for each in examples:
        assert each.story is not None
        assert each.story.before == tuple(x.caption for x in chronicle.before(each.event_id, 3))
        assert each.story.remaining_s > 0
    later = [asked for asked in map(asked_at_the_end, examples) if asked is not None and asked.story is not None]
    assert {asked.story.over for asked in later if asked.story} == {True, False}
    for asked in later:
        assert asked.story is not None
        (next_one, *_) = (*chronicle.after(asked.event_id, 1), None)
        said = (asked.story.now, asked.story.remaining_s)
        assert said == (("", 0.0) if next_one is None else (next_one.caption, next_one.seconds))
    ends = sum(each.story.end is not None for each in examples if each.story)
    assert ends == len(examples), "windows of events and of their ends reach the end"
