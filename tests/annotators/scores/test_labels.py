"""Verbs are scored on the true cuts: what covers most of a true phase has to be called what it is."""

from annotators.scores.labels import TRUE_VERBS, LabelScore, label_scores, verb_at
from annotators.scores.marks import Case, Part
from pipeline.synthetic.truth import Phase
from schemas.episode import Arm
from schemas.event import Verb

LEFT, RIGHT = Arm.LEFT, Arm.RIGHT


def test_every_phase_of_the_simulation_but_rest_has_a_verb() -> None:
    assert {phase.value for phase in Phase} - set(TRUE_VERBS) == {"idle"}
    assert TRUE_VERBS["transport"] is Verb.MOVE


def test_the_event_that_covers_most_answers() -> None:
    events = [Part(0, 60, "reach", LEFT), Part(60, 100, "grasp", LEFT)]
    assert verb_at(Part(30, 80, "reach", LEFT), events) == "reach"
    assert verb_at(Part(50, 100, "grasp", LEFT), events) == "grasp"


def test_the_other_arm_does_not_answer_but_an_event_of_no_arm_does() -> None:
    assert verb_at(Part(0, 10, "reach", LEFT), [Part(0, 10, "reach", RIGHT)]) is None
    assert verb_at(Part(0, 10, "reach", LEFT), [Part(0, 10, "reach", None)]) == "reach"


def test_phases_that_were_trimmed_are_not_asked() -> None:
    parts = (Part(0, 40, "reach", LEFT), Part(40, 100, "lift", LEFT))
    case = Case("lab: a", ((30, 100),), (), {}, true_parts=parts, parts=(Part(30, 100, "lift", LEFT),))
    assert label_scores([case]) == (LabelScore("lift", 1, 1),)
