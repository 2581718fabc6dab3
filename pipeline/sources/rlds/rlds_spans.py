"""What an RLDS episode says in words and marks: instructions, who steered, and where episodes begin and end."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from pipeline.sources.meanings import MODE_COLUMNS, SEGMENT_COLUMNS, mode_text, of_flag, of_segment
from pipeline.sources.reference import about_episode
from pipeline.sources.rlds.rlds_features import FeatureKind
from pipeline.sources.rlds.rlds_steps import Steps
from pipeline.sources.spans import flag_runs, says_something, text_runs
from schemas.episode import SourceSpan, SpanMeaning
from schemas.finding import Finding
from schemas.source import EpisodeRef

_MAX_TEXT = 10_000
"""Characters of a text that stands beside an episode; longer ones are somebody's log."""


def instruction_names(steps: Steps) -> list[str]:
    """Features that hold the task in words, in order of name: ``language_instruction`` before its second wording."""
    return [
        name
        for name, feature in steps.features.items()
        if "instruction" in name.rpartition("/")[2]
        and "embedding" not in name
        and steps.has(name)
        and (feature.kind is FeatureKind.TEXT or (feature.kind is FeatureKind.NUMBER and feature.size > 1))
    ]


def instruction_of(steps: Steps) -> str:
    """The first wording that says something."""
    for name in instruction_names(steps):
        for text in dict.fromkeys(steps.texts(name)):
            if says_something(text):
                return text
    return ""


def spans_of(steps: Steps) -> list[SourceSpan]:
    """All annotations of an episode."""
    found: list[SourceSpan] = []
    for name in instruction_names(steps):
        texts = steps.texts(name)
        changes = len({text for text in texts if says_something(text)}) > 1
        found += text_runs(name, texts, steps.edges_ns, SpanMeaning.SUBTASK if changes else SpanMeaning.TASK)
    for name, feature in steps.features.items():
        if feature.kind is FeatureKind.NUMBER and feature.size == 1 and steps.has(name):
            found += _marked(steps, name, feature.dtype)
        elif feature.kind is FeatureKind.TEXT and name.rpartition("/")[2] in SEGMENT_COLUMNS and steps.has(name):
            texts = steps.texts(name)
            found += text_runs(name, texts, steps.edges_ns, partial(of_segment, words=set(texts)))
    end_ns = int(steps.edges_ns[-1])
    for name, text in steps.episode_texts():
        if says_something(text) and not name.startswith("has_"):  # those are judged with the views
            found.append(SourceSpan(f"episode_metadata/{name}", 0, end_ns, text[:_MAX_TEXT], SpanMeaning.OTHER))
    return sorted(found, key=lambda span: (span.track, span.start_ns, span.end_ns, span.text))


def _marked(steps: Steps, name: str, dtype: str) -> Iterator[SourceSpan]:
    """Spans of a flag or of a mode that is one number per step."""
    leaf = name.rpartition("/")[2]
    if leaf in MODE_COLUMNS:
        texts = [mode_text(leaf, int(value)) if abs(value) < 2**31 else None for value in steps.numbers(name)[:, 0]]
        yield from text_runs(name, texts, steps.edges_ns, partial(of_segment, words=()))
    elif dtype == "bool" and (meaning := of_flag(leaf)) is not None:
        yield from flag_runs(name, steps.flags(name), steps.edges_ns, meaning)


def mark_findings(ref: EpisodeRef, steps: Steps) -> list[Finding]:
    """Where ``is_first``, ``is_last`` and ``is_terminal`` are not what one whole episode has."""
    last = steps.n_steps - 1
    wrong = []
    for name, expected in (("is_first", [0]), ("is_last", [last])):
        if name in steps.features and steps.has(name):
            rows = np.flatnonzero(steps.flags(name))
            if rows.tolist() != expected:
                wrong.append(f"{name} is set {_at(rows)}, expected only at step {expected[0]}")
    if "is_terminal" in steps.features and steps.has("is_terminal"):
        rows = np.flatnonzero(steps.flags("is_terminal"))
        if len(rows) and rows.tolist() != [last]:
            wrong.append(f"is_terminal is set {_at(rows)}, expected at step {last} if at all")
    if not wrong:
        return []
    message = f"{'; '.join(wrong)}: the episode was cut, or several stand in one record; it is read as one"
    return [about_episode(ref, "episode_marks_odd", message, value=len(wrong), threshold=0)]


def _at(rows: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> str:
    if not len(rows):
        return "nowhere"
    return f"at step {rows[0]}" if len(rows) == 1 else f"at {len(rows)} steps from {rows[0]} on"
