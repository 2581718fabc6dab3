"""One way to write a finding of the align stage about an episode."""

from schemas.episode import Episode
from schemas.finding import Finding, Verdict

STAGE_NAME = "align"


def episode_finding(
    episode: Episode,
    check: str,
    verdict: Verdict,
    message: str,
    *,
    value: float | None = None,
    threshold: float | None = None,
    span_ns: tuple[int, int] | None = None,
) -> Finding:
    """A finding about an episode; its message starts with where the episode lies in its source.

    A TRIM must say what it trims: raises ValueError without ``span_ns``.
    """
    if verdict is Verdict.TRIM and span_ns is None:
        raise ValueError(f"{episode.locator}: check '{check}' trims but names no interval; give span_ns")
    start_ns, end_ns = span_ns or (None, None)
    return Finding(
        subject=episode.episode_id,
        source=episode.source,
        stage=STAGE_NAME,
        check=check,
        verdict=verdict,
        message=f"{episode.locator}: {message}",
        value=None if value is None else round(float(value), 6),
        threshold=threshold,
        start_ns=start_ns,
        end_ns=end_ns,
    )
