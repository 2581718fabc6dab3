"""Which words an event gets."""

from dataclasses import replace
from functools import cache
from itertools import product

import pytest

from annotators.words.captions import MAX_WORDS, direction_of, template_captions
from annotators.words.template import load_templates
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import Arm
from schemas.event import Event, Level, Motion, Provenance, RecoveryKind, Verb
from tests.annotators.recordings import Recording, synthetic

TEMPLATES = load_templates("en")


def captioned(recording: Recording, instruction: str, *, with_duration: bool = False) -> list[Event]:
    episode = replace(recording.episode, instruction=instruction)
    return template_captions(recording.tree(), episode, TEMPLATES, with_duration=with_duration)


@cache
def made_up(*variants: Variant, arms: tuple[Arm, ...] = (Arm.RIGHT,), seed: int = 1) -> Recording:
    return synthetic(make_trajectory([seed, 8], dict.fromkeys(arms, variants)))


def texts(events: list[Event], level: Level) -> list[str]:
    return [event.caption for event in events if event.level is level]


def test_the_four_levels_of_a_plain_episode() -> None:
    events = captioned(made_up(Variant.PLAIN), "put the red cube on the blue plate.")
    assert texts(events, Level.TASK) == ["Put the red cube on the blue plate"]
    assert texts(events, Level.SUBTASK) == ["Pick up the red cube", "Place the red cube on the blue plate"]
    actions = texts(events, Level.ACTION)
    assert actions[:3] == [
        "Reach for the red cube with the right arm",
        "Grasp the red cube with the right arm",
        "Lift the red cube with the right arm",
    ]
    assert actions[-3:] == [
        "Place the red cube on the blue plate with the right arm",
        "Release the red cube from the right arm",
        "Move the right arm away from the red cube",
    ]
    assert "Close the right gripper on the red cube" in texts(events, Level.SEGMENT)


def test_without_an_instruction_nothing_is_named() -> None:
    events = captioned(made_up(Variant.PLAIN), "  ")
    assert texts(events, Level.TASK) == ["Do an unnamed task"]
    assert texts(events, Level.SUBTASK) == ["Pick up the object", "Place the object"]
    assert all(event.objects == () for event in events)


def test_a_slip_and_a_miss_are_said() -> None:
    slip = captioned(made_up(Variant.SLIP), "pick up the can and place it in the bin")
    assert texts(slip, Level.SUBTASK) == [
        "Pick up the can",
        "Carry the can but drop it",
        "Pick up the can again after dropping it",
        "Place the can in the bin",
    ]
    miss = captioned(made_up(Variant.MISS), "pick up the can and place it in the bin")
    assert "Close on nothing and miss the can with the right arm" in texts(miss, Level.ACTION)
    assert "Reach with the right arm for the can again after a miss" in texts(miss, Level.ACTION)


def test_objects_are_named_in_the_order_of_the_instruction_if_the_counts_agree() -> None:
    two = made_up(Variant.PLAIN, Variant.PLAIN)
    named = captioned(two, "put the red cube on the mat and put the can on the tray")
    assert texts(named, Level.SUBTASK) == [
        "Pick up the red cube",
        "Place the red cube on the mat",
        "Pick up the can",
        "Place the can on the tray",
    ]
    assert {name for event in named for name in event.objects} == {"red cube", "can"}
    unsure = captioned(two, "put the red cube on the mat")
    assert set(texts(unsure, Level.SUBTASK)) == {"Pick up the object", "Place the object"}


def test_a_fetched_object_is_still_the_same_object() -> None:
    events = captioned(made_up(Variant.SLIP, Variant.PLAIN), "put the cube on the mat and put the can on the tray")
    assert texts(events, Level.SUBTASK)[2:5] == [
        "Pick up the cube again after dropping it",
        "Place the cube on the mat",
        "Pick up the can",
    ]


def test_an_arm_named_in_the_instruction_gets_its_object() -> None:
    instruction = "put the cube on the mat with the right arm and put the can on the tray with the left arm"
    events = captioned(made_up(Variant.PLAIN, arms=(Arm.LEFT, Arm.RIGHT)), instruction)
    for event in events:
        if event.level is Level.ACTION and event.objects:
            assert event.objects == (("cube",) if event.arm is Arm.RIGHT else ("can",))


@pytest.mark.parametrize("with_duration", [False, True])
@pytest.mark.parametrize("variant", list(Variant))
def test_captions_are_short_imperative_sentences_without_a_full_stop(variant: Variant, with_duration: bool) -> None:
    long = "put the extraordinarily large yellow-and-green bottle on top of the very small container"
    for event in captioned(made_up(variant), long, with_duration=with_duration):
        assert event.caption
        assert event.caption[0].isupper()
        assert "  " not in event.caption
        assert not event.caption.endswith(".")
        if event.level in (Level.ACTION, Level.SEGMENT):
            assert len(event.caption.split()) <= MAX_WORDS


def test_a_duration_is_said_when_asked_for() -> None:
    events = captioned(made_up(Variant.PLAIN), "put the cube on the mat", with_duration=True)
    reach = next(event for event in events if event.verb is Verb.REACH and event.level is Level.ACTION)
    assert reach.caption == f"Reach for the cube with the right arm, taking {reach.span.duration_s:.1f} s"
    assert texts(events, Level.TASK) == ["Put the cube on the mat"]


def test_ids_spans_and_verbs_stay_and_other_authors_are_left_alone() -> None:
    recording = made_up(Variant.PLAIN)
    tree = recording.tree()
    tree[3] = replace(tree[3], caption="Ours", caption_by=Provenance(proposer="human"))
    events = template_captions(tree, recording.episode, TEMPLATES, with_duration=False)
    assert events[3] == tree[3]
    for before, after in zip(tree, events, strict=True):
        assert replace(after, caption=before.caption, objects=before.objects, caption_by=before.caption_by) == before
        assert after is events[3] or after.caption_by == Provenance("template", "", TEMPLATES.digest, "")


def test_unlabelled_pictures_are_called_so() -> None:
    tree = made_up(Variant.PLAIN).tree()
    unknown = [replace(event, verb=Verb.OTHER, arm=None, motion=None, recovery=RecoveryKind.NONE) for event in tree]
    moving = [replace(event, static_fraction=0.0) for event in unknown]
    still = [replace(event, static_fraction=1.0) for event in unknown]
    episode = made_up(Variant.PLAIN).episode
    said = {e.caption for e in template_captions(moving, episode, TEMPLATES, with_duration=False)[1:]}
    assert said == {
        "Carry out an unlabelled part of the task",
        "Carry out an unlabelled step",
        "Carry out part of an unlabelled step",
    }
    said = {e.caption for e in template_captions(still, episode, TEMPLATES, with_duration=False)[1:]}
    assert said == {"Show a still scene"}


def test_every_verb_of_the_vocabulary_can_be_said() -> None:
    recording = made_up(Variant.PLAIN)
    plain = recording.tree()
    for verb, recovery in product(Verb, RecoveryKind):
        tree = [replace(event, verb=verb, recovery=recovery) for event in plain]
        events = template_captions(tree, recording.episode, TEMPLATES, with_duration=False)
        assert all(event.caption for event in events)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ((0.1, 0.0, 0.0), "forward"),
        ((-0.1, 0.0, 0.0), "backward"),
        ((0.0, 0.1, 0.0), "to the left"),
        ((0.0, -0.1, 0.0), "to the right"),
        ((0.01, 0.0, 0.1), "up"),
        ((0.0, 0.0, -0.1), "down"),
        ((0.1, 0.1, 0.1), ""),
        ((0.01, 0.0, 0.0), ""),
        ((None, None, None), ""),
    ],
)
def test_directions_follow_the_base_frame(step: tuple[float | None, ...], words: str) -> None:
    x, y, z = step
    assert direction_of(Motion(x, y, z, 0.1, None, None, 0.1)) == words
