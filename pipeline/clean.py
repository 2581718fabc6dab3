"""Clean second: which part of an episode is kept, and every reason why (wall_wm.md §2.3).

Checks only write findings. What is kept follows from the findings alone, so a person who disagrees with one of them
takes it out and gets the frames back; the recording itself is never touched.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.clean_actions import check_actions
from pipeline.clean_annotations import check_annotations
from pipeline.clean_pictures import check_pictures
from pipeline.episode_finding import episode_finding
from pipeline.mask_runs import runs_of
from schemas.episode import ActionTrack, Episode, KeptRange
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding, Verdict
from schemas.recipe_clean import CleanSpec
from schemas.time import MIN_EVENT_FRAMES, FrameClock


def clean(
    episode: Episode,
    actions: ActionTrack | None,
    strips: Sequence[Filmstrip],
    earlier: Sequence[Finding],
    spec: CleanSpec,
) -> tuple[tuple[KeptRange, ...], list[Finding]]:
    """What is kept of an episode, and the findings of this stage's checks.

    ``actions`` are on the video clock. ``earlier`` are findings of earlier stages; their TRIM and DROP count too.
    """
    by_camera = {strip.camera: strip for strip in strips}
    findings = list(check_pictures(episode, actions, by_camera, spec))
    findings += check_annotations(episode)
    findings += check_actions(episode, actions, by_camera, spec)
    about_episode = [finding for finding in earlier if finding.subject == episode.episode_id]
    if not episode.cameras:
        return (), findings
    clock = episode.master.clock
    deciding = [*about_episode, *findings]
    kept = kept_ranges(clock, deciding)
    findings += _remnants(episode, clock, deciding)
    if not kept and not any(finding.verdict is Verdict.DROP for finding in deciding):
        message = f"nothing of {len(clock)} frames is left after trimming; see the TRIM findings"
        findings.append(
            episode_finding(episode, "nothing_left", Verdict.DROP, message, value=0.0, threshold=MIN_EVENT_FRAMES)
        )
    return kept, findings


def kept_ranges(clock: FrameClock, findings: Sequence[Finding]) -> tuple[KeptRange, ...]:
    """The parts of the master clock no finding takes away, snapped to frames, each at least `MIN_EVENT_FRAMES` long.

    A frame goes when its time overlaps a TRIM interval; everything goes with a DROP.
    """
    if any(finding.verdict is Verdict.DROP for finding in findings):
        return ()
    return tuple(
        KeptRange(clock.edge_ns(first), clock.edge_ns(stop))
        for first, stop in _untrimmed(clock, findings)
        if stop - first >= MIN_EVENT_FRAMES
    )


def _untrimmed(clock: FrameClock, findings: Sequence[Finding]) -> list[tuple[int, int]]:
    """Frame ranges outside all TRIM intervals."""
    keep = np.ones(len(clock), np.bool_)
    ends_ns = np.append(clock.times_ns[1:], clock.end_ns)
    for finding in findings:
        if finding.verdict is Verdict.TRIM and finding.start_ns is not None and finding.end_ns is not None:
            keep &= (ends_ns <= finding.start_ns) | (clock.times_ns >= finding.end_ns)
    return runs_of(keep)


def _remnants(episode: Episode, clock: FrameClock, findings: Sequence[Finding]) -> Iterator[Finding]:
    """Stretches between trims that are too short to hold an event."""
    if any(finding.verdict is Verdict.DROP for finding in findings):
        return
    for first, stop in _untrimmed(clock, findings):
        if stop - first < MIN_EVENT_FRAMES:
            yield episode_finding(
                episode,
                "remnant_too_short",
                Verdict.TRIM,
                f"{stop - first} frames remain between trimmed parts, an event needs {MIN_EVENT_FRAMES}",
                value=stop - first,
                threshold=MIN_EVENT_FRAMES,
                span_ns=(clock.edge_ns(first), clock.edge_ns(stop)),
            )
