"""What `joinery why` says about annotations."""

from dataclasses import replace

from annotators.segment import segment, tracks_used
from annotators.tracks.told import told
from schemas.episode import ActionKind, SourceSpan, SpanMeaning
from schemas.finding import Verdict
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S
from tests.annotators.recordings import all_kept, even_times, make_episode

SPEC = SegmentSpec()


def findings(*spans: SourceSpan) -> list[tuple[str, str, int | None]]:
    episode = replace(make_episode(even_times(600, 30), 20 * NS_PER_S, ActionKind.NONE), annotations=spans)
    events = segment(episode, None, (), all_kept(episode, (0, 12 * NS_PER_S)), None, spec=SPEC)
    found = list(told(episode, tracks_used(episode, SPEC), events))
    assert all(finding.verdict is Verdict.KEEP and finding.subject == episode.episode_id for finding in found)
    return [(finding.check, finding.message.split(": ", 1)[1], finding.start_ns) for finding in found]


def said(track: str, meaning: SpanMeaning, start_s: float, end_s: float, text: str) -> SourceSpan:
    return SourceSpan(track, round(start_s * NS_PER_S), round(end_s * NS_PER_S), text, meaning)


def test_used_and_lost_spans_are_told_with_the_reason() -> None:
    steps = [said("steps", SpanMeaning.SUBTASK, i, i + 1, f"step {i}") for i in range(11)]
    steps += [said("steps", SpanMeaning.SUBTASK, 11, 11.1, "blink"), said("steps", SpanMeaning.SUBTASK, 15, 16, "gone")]
    steps += [said("steps", SpanMeaning.SUBTASK, 3.5, 5.5, "across")]
    assert findings(*steps) == [
        ("annotation_track", "source:steps: 11 of 14 spans are events of the subtask level", None),
        (
            "annotation_left_out",
            "source:steps 'across' is no event of the subtask level: it overlaps another span of its track",
            3_500_000_000,
        ),
        (
            "annotation_left_out",
            "source:steps 'blink' is no event of the subtask level: it is shorter than an event, overlaps one that "
            "outranks it, or crosses a coarser one",
            11_000_000_000,
        ),
        (
            "annotation_left_out",
            "source:steps 'gone' is no event of the subtask level: it lies in parts that are not kept",
            15_000_000_000,
        ),
    ]


def test_what_informs_is_told_and_what_goes_without_saying_is_not() -> None:
    found = findings(
        said("subtitles", SpanMeaning.SPEECH, 1, 2, "so"),
        said("task", SpanMeaning.TASK, 0, 20, "cook"),
        said("mode", SpanMeaning.INTERVENTION, 2, 4, "human"),
    )
    assert found == [("annotation_track", "source:mode: its 1 spans inform cuts and words and bound nothing", None)]
