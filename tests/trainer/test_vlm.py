"""A frozen model of transformers by path: its states condition our heads, and it is never trained."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("tokenizers", reason="needs the `train` extra")

from tests.trainer.events import MadeSteps, example, talking
from trainer.batch import Example
from trainer.head_planner import Heads
from trainer.loop import Trainer
from trainer.model.conditioner import LanguageConfig
from trainer.model.wam import build
from trainer.parallel import Ranks
from trainer.steps import TrainStep
from trainer.story import Story
from trainer.vlm import FrozenVlm, question_of

ALONE = Ranks(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module", params=["words", "pictures"])
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LanguageConfig:
    from tests.trainer import tiny_vlm  # seconds of transformers and torchvision, for the one process that runs this

    if request.param == "pictures" and tiny_vlm.NO_PICTURES:
        pytest.skip(f"transformers cannot load image processors here: {tiny_vlm.NO_PICTURES}")
    save = {"words": tiny_vlm.save_words_only, "pictures": tiny_vlm.save_with_pictures}[request.param]
    folder = save(tmp_path_factory.mktemp(request.param))
    return LanguageConfig(width=32, heads=2, vlm=folder, vlm_width=tiny_vlm.WIDTH, vlm_layer=1)


def story(instruction: str = "tidy up", now: str = "lift", shade: int = 90) -> Story:
    picture = np.full((48, 64, 3), shade, np.uint8)
    picture[10:30, 20:40] = 250 - shade
    return Story(instruction, ("reach",), now, ("place",), 1.0, (5,), (picture, picture))


def test_states_are_of_the_question_and_pictures_and_not_of_the_answer(config: LanguageConfig) -> None:
    vlm = FrozenVlm.load(config, torch.device("cpu"))
    asked = [story(), story(now="drop"), story(instruction="pour"), story(shade=10)]
    found = vlm.understand(asked)
    halves = found.halfway_SV.split(found.lengths)
    tops = found.top_SV.split(found.lengths)
    assert torch.equal(tops[0], tops[1])
    assert tops[0].shape != tops[2].shape or not torch.equal(tops[0], tops[2])
    assert torch.equal(tops[0], tops[3]) != vlm.sees
    assert halves[0].shape == tops[0].shape == (found.lengths[0], config.vlm_width)
    assert not torch.equal(halves[0], tops[0])
    alone = vlm.understand(asked[2:3])
    torch.testing.assert_close(alone.top_SV, tops[2])


def test_halfway_is_what_has_passed_the_layers_below(config: LanguageConfig) -> None:
    one, two = (FrozenVlm.load(replace(config, vlm_layer=n), torch.device("cpu")) for n in (1, 2))
    assert not torch.equal(one.understand([story()]).halfway_SV, two.understand([story()]).halfway_SV)
    assert torch.equal(one.understand([story()]).top_SV, two.understand([story()]).top_SV)


def test_heads_learn_on_top_of_it_and_it_stays_as_it_was(config: LanguageConfig) -> None:
    rules = tuple(replace(rule, lr=1e-2) for rule in talking().rules)
    own = replace(talking(), stage="language", model=replace(talking().model, language=config), rules=rules)
    events: list[Example] = [
        replace(example(frames=5), story=story(instruction, now))
        for instruction, now in (("tidy the table", "lift"), ("pour the milk, and slowly", "pour"))
    ]
    steps = MadeSteps(*events, n_steps=60, per_pack=2, packs=1)
    trainer = Trainer(own, build(own.model, 0), steps, ALONE)
    assert trainer.vlm is not None
    before = {name: value.clone() for name, value in trainer.vlm.model.state_dict().items()}
    for step in range(60):
        trainer.advance(TrainStep(step, (steps.pack(step),)))
    language = trainer.model.language
    assert language is not None
    assert [said.text for said in Heads(language, trainer.vlm).say(events)] == ["lift", "pour"]
    assert all(torch.equal(value, before[name]) for name, value in trainer.vlm.model.state_dict().items())
    assert not any(parameter.requires_grad for parameter in trainer.vlm.model.parameters())
    assert not any("vlm" in name for name, _ in trainer.model.named_parameters())


def test_the_staircase_branches_off_halfway(config: LanguageConfig) -> None:
    own = replace(talking(), stage="staircase", model=replace(talking().model, language=config))
    steps = MadeSteps(replace(example(frames=5), story=story()), n_steps=2, per_pack=2, packs=1)
    line = Trainer(own, build(own.model, 0), steps, ALONE).advance(TrainStep(0, (steps.pack(0),)))
    assert line.chain > 0
    assert line.gradient_norm > 0


def test_a_folder_that_is_no_model_or_another_one_is_refused(config: LanguageConfig, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no vision-language or language model"):
        FrozenVlm.load(replace(config, vlm=str(tmp_path)), torch.device("cpu"))
    with pytest.raises(ValueError, match=f"its states are {config.vlm_width} wide after 3 layers"):
        FrozenVlm.load(replace(config, vlm_width=99), torch.device("cpu"))


def test_the_question_says_what_was_done_lately() -> None:
    told = replace(story(), before=("a", "b", "c"))
    assert question_of(told, 2).splitlines()[:2] == ["Task: tidy up", "Done: b; c"]
