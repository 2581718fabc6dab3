"""Language heads: they learn what is next and how long it takes, from what they are asked and nothing else."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tests.trainer.events import MadeSteps, example, lively, talking
from trainer.attend import segments_of
from trainer.batch import Example, pack, sight_of
from trainer.configs import ModelConfig, TrainConfig
from trainer.head_planner import Heads
from trainer.loop import StepLog, Trainer
from trainer.model.conditioner import Conditioner, LanguageConfig, Woven, words_there
from trainer.model.language import words_of
from trainer.model.wam import WallWM, build
from trainer.parallel import Ranks
from trainer.story import Question, Story, story_tokens

ALONE = Ranks(0, 1, torch.device("cpu"))
LANGUAGE = LanguageConfig(width=32, heads=2)


def model_config() -> ModelConfig:
    return replace(talking().model, language=LANGUAGE)


def language_of(model: WallWM) -> Conditioner:
    assert model.language is not None
    return model.language


def event(instruction: str, caption: str, seconds: float, seed: int = 0, after: tuple[str, ...] = ()) -> Example:
    story = Story(instruction, ("reach",), caption, after, seconds, words_of(caption, 256, 32))
    return replace(example(frames=5, caption=caption, seed=seed), story=story)


def question(*examples: Example) -> Question:
    stories = [each.story for each in examples]
    assert all(stories)
    return Question(story_tokens([story for story in stories if story], LANGUAGE.limits), sight_of(examples))


TASKS = [event("red cube", "grasp it", 0.5), event("blue can", "pour", 4.0), event("green mat", "fold", 9.0)]


def trained(events: list[Example], steps: int) -> tuple[WallWM, StepLog]:
    rules = tuple(replace(rule, lr=1e-2) for rule in talking().rules)
    config: TrainConfig = replace(talking(), stage="language", model=model_config(), rules=rules, cooldown=0.5)
    source = MadeSteps(*events, n_steps=steps, per_pack=len(events), packs=1)
    trainer = Trainer(config, build(config.model, 0), source, ALONE)
    with source.read(0, 0, 1) as read:
        for step in read:
            line = trainer.advance(step)
    return trainer.model, line


@pytest.fixture(scope="module")
def learnt() -> tuple[WallWM, StepLog]:
    return trained(TASKS, 120)


def test_they_say_what_is_next_and_how_long_it_takes(learnt: tuple[WallWM, StepLog]) -> None:
    said = Heads(language_of(learnt[0])).say([replace(each) for each in TASKS])
    assert [answer.text for answer in said] == ["grasp it", "pour", "fold"]
    for answer, each in zip(said, TASKS, strict=True):
        assert each.story is not None
        assert answer.duration_s == pytest.approx(each.story.remaining_s, rel=0.15)


def test_the_time_depends_on_what_is_to_be_done_whoever_says_it(learnt: tuple[WallWM, StepLog]) -> None:
    heads = Heads(language_of(learnt[0]))
    own = heads.seconds(TASKS, ["grasp it", "pour", "fold"])
    assert own == pytest.approx([answer.duration_s for answer in heads.say(TASKS)], rel=1e-4)
    assert heads.seconds(TASKS[:1], ["fold"])[0] != pytest.approx(own[0], rel=0.05)


def test_answers_are_not_among_what_is_asked(learnt: tuple[WallWM, StepLog]) -> None:
    heads = Heads(language_of(learnt[0]))
    blank = [
        replace(each, story=replace(each.story, now="", remaining_s=0.0, words=())) for each in TASKS if each.story
    ]
    said, known = ([(answer.text, answer.duration_s) for answer in heads.say(each)] for each in (blank, TASKS))
    assert said == known


def test_text_features_are_those_of_the_text_encoder(learnt: tuple[WallWM, StepLog]) -> None:
    model, line = learnt
    language, asked = language_of(model), question(*TASKS)
    feature_EQD, here_EQ = language.features(language.understand(asked.story.asked, asked.sight))
    for event_number, each in enumerate(TASKS):
        found = words_there(feature_EQD[event_number], here_EQ[event_number])
        target = model.text(torch.tensor(each.words))
        assert found.shape == target.shape
        assert (found - target).square().sum() < 0.05 * target.square().sum()
    assert line.aligned < 0.1


def test_the_video_tower_reads_features_as_it_reads_a_caption() -> None:
    model, events = lively(talking().model), [example(), example(seed=1)]
    batch = pack(events)
    seen, sigma = batch.video.clean_TP, torch.full((4,), 0.5)
    with torch.no_grad():
        words = model.watch(batch, seen, sigma).video_TP
        features = model.watch(batch, seen, sigma, model.text(batch.text.word_S)).video_TP
        other = model.watch(batch, seen, sigma, 2 * model.text(batch.text.word_S)).video_TP
    torch.testing.assert_close(words, features)
    assert (words - other).abs().max() > 1e-3


def test_what_is_seen_and_felt_and_said_all_reach_the_states() -> None:
    language = language_of(lively(model_config()))

    def top(each: Example) -> torch.Tensor:
        asked = question(each)
        return language.understand(asked.story.asked, asked.sight).top_SD

    one = event("red cube", "grasp it", 0.5)
    assert one.story is not None
    others: list[Callable[[], Example]] = [
        lambda: replace(one, latents_VFCHW=one.latents_VFCHW + 1),
        lambda: replace(one, state_A=one.state_A + 1),
        lambda: event("blue cube", "grasp it", 0.5),
        lambda: replace(one, story=replace(one.story, before=("lift",))) if one.story else one,
    ]
    for other in others:
        assert not torch.allclose(top(one), top(other()), atol=1e-4)
    later = one.latents_VFCHW.clone()
    later[:, 1:] += 9.0
    assert torch.equal(top(one), top(replace(one, latents_VFCHW=later))), "the future"


def test_an_event_is_understood_alike_alone_and_in_a_pack() -> None:
    language = language_of(lively(model_config()))
    alone, together = question(TASKS[1]), question(*TASKS)
    one = language.understand(alone.story.asked, alone.sight)
    all_of = language.understand(together.story.asked, together.sight)
    torch.testing.assert_close(one.top_SD, all_of.top_SD.split(all_of.lengths)[1], rtol=1e-4, atol=1e-5)


def test_a_slot_is_unseen_by_the_rest() -> None:
    language, asked = language_of(lively(model_config())), question(*TASKS)
    without = language.understand(asked.story.asked, asked.sight)
    with_slot = language.understand(asked.story.asked, asked.sight, slot_D=torch.randn(LANGUAGE.width))
    torch.testing.assert_close(without.halfway_SD, with_slot.halfway_SD)
    torch.testing.assert_close(without.top_SD, with_slot.top_SD)
    assert without.slot_ED is None
    assert with_slot.slot_ED is not None
    assert len(with_slot.slot_ED) == 3


def test_woven_rows_stand_after_their_event() -> None:
    woven = Woven([2, 1], 2, torch.device("cpu"))
    rows = woven.together(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[[10.0], [11.0]], [[20.0], [21.0]]]))
    assert rows[:, 0].tolist() == [1, 2, 10, 11, 3, 20, 21]
    assert woven.segments.queries == segments_of([4, 3]).queries
    assert woven.masks[1].tolist() == [[True, False, False], [True, True, False], [True, True, True]]
