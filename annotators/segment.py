"""Segment: where an episode's events begin and end, and what each is called (events.md).

Signals place the cuts. Arms are read first; pictures are a hint for arms without fingers, and proposals where no arm
says anything. The result is a complete four-level tree without captions; every edge carries its physical kind, its
confidence and the detectors behind it. docs/segment.md has the rules and the measured scores.
"""

from collections.abc import Sequence

from annotators.kinematic.driving import with_driving
from annotators.kinematic.evidence import kinematic_evidence
from annotators.tracks.choose import Choice, choices
from annotators.tracks.told import told
from annotators.tracks.track import tracks_of
from annotators.tree.build import TreeBuilder
from annotators.tree.evidence import Evidence
from annotators.tree.people import with_people
from annotators.tree.people_findings import told_of_people, usable, withheld
from annotators.tree.ranges import fits_event, left_out, usable_ranges
from annotators.tree.rests import moving_ranges, static_findings
from annotators.visual.evidence import VisualEvidence
from annotators.visual.signals import visual_signals
from pipeline.aligned import aligned_actions
from pipeline.clean_reset import check_reset
from pipeline.errors import SourceError
from pipeline.pseudo.scale import calibration_for
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.calibration import Calibration
from schemas.episode import ActionKind, ActionTrack, Alignment, Episode
from schemas.event import Event, Level
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding, Verdict
from schemas.recipe import SegmentSpec
from schemas.review import Review
from schemas.tree import violations


def segment(
    episode: Episode,
    actions: ActionTrack | None,
    strips: Sequence[Filmstrip],
    alignment: Alignment,
    calibration: Calibration | None,
    *,
    spec: SegmentSpec,
    people: Review | None = None,
) -> list[Event]:
    """The episode's event tree over its usable kept ranges, sorted by level and time; empty if nothing is kept.

    What ``people`` said outranks the episode's own annotations, and those the detectors; it must be about a recording
    of as many pictures.
    ``actions`` are as ingest wrote them; the alignment is applied here. Raises SourceError when the episode claims
    actions and has none, ValueError if a tree ever broke an invariant of `schemas.tree`.
    """
    if not episode.cameras:
        return []
    actions = _actions_of(episode, actions, alignment)
    clock = episode.master.clock
    ranges = usable_ranges(alignment, clock, actions)
    if not ranges:
        return []

    def pictures() -> VisualEvidence:
        strip = next((strip for strip in strips if strip.camera == episode.master.name), None)
        return VisualEvidence(clock, None if strip is None else visual_signals(strip, clock), spec)

    evidence: Evidence | None = None
    if actions is not None:
        scales = None if calibration is None else calibration_for(actions, calibration)
        evidence = kinematic_evidence(actions, scales, clock, spec, lambda: pictures().cuts())
        evidence = None if evidence is None else with_driving(evidence, actions, clock, spec)
    evidence = evidence or pictures()
    times_ns = None if actions is None else actions.times_ns
    fits = fits_event(clock, times_ns)
    ranges = moving_ranges(ranges, evidence, clock, fits, spec)
    builder = TreeBuilder(episode, clock, times_ns, evidence, fits, spec, tracks_used(episode, spec))
    events = builder.tree(ranges)
    if people is not None and ranges:
        events = with_people(events, people, builder, ranges)
    broken = violations(events, clock, ranges, episode.action_kind)
    if broken:
        raise ValueError(f"{episode.locator}: the event tree breaks {len(broken)} invariants, first: {broken[0]}")
    return events


def tracks_used(episode: Episode, spec: SegmentSpec) -> list[Choice]:
    """What becomes of each track of annotations."""
    return choices(tracks_of(episode.annotations), episode.master.end_ns, spec)


def _actions_of(episode: Episode, actions: ActionTrack | None, alignment: Alignment) -> ActionTrack | None:
    """The actions on the video clock; None for an episode without actions, whatever lies beside it."""
    if episode.action_kind is ActionKind.NONE:
        return None
    if actions is None:
        raise SourceError(
            f"{episode.locator}: the episode says its actions are {episode.action_kind}, but ingest wrote no action "
            "track; expected one. Check the source's columns in the recipe and ingest it again"
        )
    return aligned_actions(actions, alignment)


def run(bundle: Bundle, spec: SegmentSpec) -> list[object]:
    """The stage: the tree, and findings of what it leaves out, whose annotations it used, and a failed reset."""
    episode, alignment = bundle.one(Episode), bundle.one(Alignment)
    actions = bundle.optional(ActionTrack)
    strips = bundle.all(Filmstrip)
    calibration = bundle.optional(Calibration)
    if not episode.cameras:
        return []
    if bundle.review is not None and bundle.review.left_out:
        return [withheld(episode, bundle.review)]
    people = usable(bundle.review, episode)
    events = segment(episode, actions, strips, alignment, calibration, spec=spec, people=people)
    failed_reset = list(check_reset(episode, actions, calibration, Verdict(spec.on_failed_reset)))
    if any(finding.verdict is Verdict.DROP for finding in failed_reset):
        return list(failed_reset)
    on_clock, clock = _actions_of(episode, actions, alignment), episode.master.clock
    findings = left_out(episode, alignment, clock, on_clock)
    covered = [(event.span.frame_start, event.span.frame_end) for event in events if event.level is Level.TASK]
    findings += static_findings(episode, usable_ranges(alignment, clock, on_clock), covered, spec)
    said = [*told(episode, tracks_used(episode, spec), events), *told_of_people(episode, bundle.review, events)]
    return [*events, *findings, *said, *failed_reset]


STAGE = Stage(
    name="segment",
    version=8,
    scope=Scope.EPISODE,
    reads=(
        Read(Episode, "ingest"),
        Read(ActionTrack, "ingest"),
        Read(Filmstrip, "ingest"),
        Read(Alignment, "align"),
        Read(Calibration, "calibrate"),
    ),
    writes=(Event, Finding),
    recipe_slice=lambda recipe: recipe.segment,
    run=run,
    reviewed=lambda recipe: recipe.review.use,
)
