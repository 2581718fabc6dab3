"""What published datasets call their annotations, and what that means in our words.

Columns, flags, modes and styles of the LeRobot and RLDS worlds; a name not listed here keeps its words and means
`SpanMeaning.OTHER`. Formats with a schema of their own say the meaning in their own file.
"""

from collections.abc import Collection

from schemas.episode import SpanMeaning

_BY_WORD = (
    ("substask", SpanMeaning.SUBTASK),  # as RoboInter spells it
    ("subtask", SpanMeaning.SUBTASK),
    ("sub_task", SpanMeaning.SUBTASK),
    ("low_level_task", SpanMeaning.SUBTASK),
    ("skill", SpanMeaning.ACTION),
    ("primitive", SpanMeaning.ACTION),
    ("task", SpanMeaning.TASK),
    ("coarse", SpanMeaning.TASK),
    ("instruction", SpanMeaning.TASK),
)
"""First match counts: ``annotation.human.action.task_description`` is a task."""
_FLAGS = (
    ("intervention", SpanMeaning.INTERVENTION),
    ("is_correction", SpanMeaning.INTERVENTION),
    ("is_error", SpanMeaning.ERROR),
    ("error_segment", SpanMeaning.ERROR),
    ("is_recovery", SpanMeaning.RECOVERY),
    ("recovery_segment", SpanMeaning.RECOVERY),
    ("is_high_jerk", SpanMeaning.OTHER),
)
_SEGMENTS = {
    "recovery": SpanMeaning.RECOVERY,
    "correction": SpanMeaning.INTERVENTION,
    "intervention": SpanMeaning.INTERVENTION,
    "drop": SpanMeaning.ERROR,
    "error": SpanMeaning.ERROR,
    "failure": SpanMeaning.ERROR,
    "policy": SpanMeaning.OTHER,
    "robot": SpanMeaning.OTHER,
    "script": SpanMeaning.OTHER,
}
"""Who or what acts, by RaC (policy, recovery, correction) and in ``control_mode`` and ``phase`` columns."""
_PEOPLE = ("human", "teleop", "operator")
_MACHINES = ("policy", "robot", "script")
_MODES = {
    "action_mode": {-1: "demonstration", 0: "policy", 1: "intervention"},
    "intv_label": {-10: "before_intervention", -1: "demonstration", 0: "policy", 1: "intervention"},
}
"""Sirius: who steered, row by row."""
_STYLES = {
    "subtask": SpanMeaning.SUBTASK,
    "task_aug": SpanMeaning.TASK,
    "motion": SpanMeaning.ACTION,
    "interjection": SpanMeaning.SPEECH,
}
"""LeRobot's language columns; ``plan``, ``memory``, ``vqa`` and ``trace`` are for training and mean no span of ours."""
_INVALID = ("invalid", "not valid", "unqualified", "not qualified", "disqualified", "unusable", "bad")
MODE_COLUMNS = tuple(_MODES)
SEGMENT_COLUMNS = ("segment", "segment_type", "control_mode", "phase", "actor")
VERDICT_WORDS = ("validity", "quality")
"""In names of columns whose texts say whether rows may be used."""


def of_name(column: str) -> SpanMeaning:
    """What a column of texts or indices is about, judged by its name."""
    return next((meaning for word, meaning in _BY_WORD if word in column.lower()), SpanMeaning.OTHER)


def of_flag(column: str) -> SpanMeaning | None:
    """What a column of truth values marks; None for one that is no annotation."""
    return next((meaning for word, meaning in _FLAGS if word in column.lower()), None)


def of_verdict(text: str) -> SpanMeaning:
    """INVALID where a text says that rows must not be used. ``valid``, numbers and anything else say no such thing."""
    words = " ".join(text.lower().replace("_", " ").split())
    return SpanMeaning.INVALID if words.startswith(_INVALID) else SpanMeaning.OTHER


def of_segment(word: str, words: Collection[str]) -> SpanMeaning:
    """What a segment named so is, in a recording with segments of all these ``words``.

    A person among machines intervenes; a recording that a person made from end to end is a demonstration.
    """
    word, others = word.strip().lower(), {other.strip().lower() for other in words}
    if word in _PEOPLE:
        return SpanMeaning.INTERVENTION if others & set(_MACHINES) else SpanMeaning.OTHER
    return _SEGMENTS.get(word, SpanMeaning.OTHER)


def mode_text(column: str, value: int) -> str:
    """A mode in words."""
    return _MODES[column].get(value, str(value))


def of_style(style: str) -> SpanMeaning:
    """What a style of LeRobot's language columns means."""
    return _STYLES.get(style, SpanMeaning.OTHER)
