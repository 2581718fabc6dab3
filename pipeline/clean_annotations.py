"""What the source itself says should not be used: operator pauses and stretches it declares invalid are trimmed.

DROID marks rows in which the operator had control switched off, UMI lost tracking, Ego4D redacted faces. A source that
says so is believed; the annotation stays with the episode, and taking the finding out gives the frames back.
"""

from collections.abc import Iterator

from pipeline.episode_finding import episode_finding
from schemas.episode import Episode, SourceSpan, SpanMeaning
from schemas.finding import Finding, Verdict
from schemas.time import NS_PER_S

_CHECKS = {SpanMeaning.PAUSE: "operator_pause", SpanMeaning.INVALID: "declared_invalid"}


def check_annotations(episode: Episode) -> Iterator[Finding]:
    """One TRIM per stretch the source says is a pause or not to be used; overlapping ones are joined."""
    if not episode.cameras:
        return
    for meaning, check in _CHECKS.items():
        spans = sorted(
            (span for span in episode.annotations if span.meaning is meaning and span.end_ns > span.start_ns),
            key=lambda span: (span.start_ns, span.end_ns),
        )
        for start_ns, end_ns, said in _joined(spans):
            start_ns, end_ns = max(0, start_ns), min(end_ns, episode.master.end_ns)  # noqa: PLW2901 - what is filmed
            if end_ns > start_ns:
                yield episode_finding(
                    episode,
                    check,
                    Verdict.TRIM,
                    f"the source says so for {(end_ns - start_ns) / NS_PER_S:.2f} s ({said})",
                    value=(end_ns - start_ns) / NS_PER_S,
                    threshold=0.0,
                    span_ns=(start_ns, end_ns),
                )


def _joined(spans: list[SourceSpan]) -> Iterator[tuple[int, int, str]]:
    """Start, end and wording of each stretch that spans cover together."""
    start_ns, end_ns, said = 0, -1, ""
    for span in spans:
        if end_ns >= 0 and span.start_ns <= end_ns:
            end_ns = max(end_ns, span.end_ns)
            continue
        if end_ns >= 0:
            yield start_ns, end_ns, said
        start_ns, end_ns, said = span.start_ns, span.end_ns, f"{span.track}: {span.text}"
    if end_ns >= 0:
        yield start_ns, end_ns, said
