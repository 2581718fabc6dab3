"""Stage ``align``: bring actions onto the picture clock, then decide what is kept (wall_wm.md §2.2–2.3).

The evidence is there already: the episode's own lag curve (`pipeline.lag`) and its source's vote (`pipeline.vote`).
`pipeline.judge` weighs them, cleaning looks at the actions where the judgement has put them, and what is kept follows
from all findings. Keyed by content: a source's vote may shift by a hair when episodes are added, and as long as that
changes nothing for an episode, nothing that stands on it runs again.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from pipeline.aligned import aligned_actions
from pipeline.clean import clean
from pipeline.episode_finding import STAGE_NAME
from pipeline.judge import Case, Judgement, constant_lag, judge
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.episode import ActionKind, ActionTrack, Alignment, Episode, SyncVerdict
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding
from schemas.recipe import AlignSpec
from schemas.sync import LagCurve, SourceLag


def align(
    case: Case, actions: ActionTrack | None, strips: Sequence[Filmstrip], earlier: Sequence[Finding]
) -> list[Alignment | Finding]:
    """The episode's one `Alignment`, and the findings of sync and cleaning."""
    judgement = synchronise(case, actions)
    estimate = None if case.curve is None else case.curve.estimate
    moved = Alignment(
        episode_id=case.episode.episode_id,
        verdict=judgement.verdict,
        offset_ns=judgement.offset_ns,
        correlation=0.0 if estimate is None else estimate.correlation,
        margin=0.0 if estimate is None else estimate.margin,
        kept=(),
    )
    findings = [] if judgement.finding is None else [judgement.finding]
    kept, cleaning = clean(case.episode, aligned_actions(actions, moved), strips, [*earlier, *findings], case.spec)
    return [dataclasses.replace(moved, kept=kept), *findings, *cleaning]


def synchronise(case: Case, actions: ActionTrack | None) -> Judgement:
    """The judgement on one episode's clocks; there is nothing to judge where there is only one clock."""
    if actions is None or actions.n_rows == 0 or actions.kind in (ActionKind.NONE, ActionKind.PSEUDO):
        return Judgement(SyncVerdict.NOT_APPLICABLE)
    return judge(case)


def case_of(
    episode: Episode,
    actions: ActionTrack | None,
    curve: LagCurve | None,
    votes: Sequence[SourceLag],
    spec: AlignSpec,
) -> Case:
    """What is known about one episode's clocks. Rows recorded with the frames carry the frames' times (`ingest`)."""
    stamps = None if actions is None or not episode.cameras else episode.master.times_ns
    own_clock = actions is not None and (stamps is None or not np.array_equal(actions.times_ns, stamps))
    return Case(episode, curve, constant_lag(votes), own_clock, spec)


def run(bundle: Bundle, spec: AlignSpec) -> list[Alignment | Finding]:
    """`align` on a bundle's records."""
    episode, actions = bundle.one(Episode), bundle.optional(ActionTrack)
    case = case_of(episode, actions, bundle.optional(LagCurve), bundle.all(SourceLag), spec)
    return align(case, actions, bundle.all(Filmstrip), bundle.all(Finding))


STAGE = Stage(
    name=STAGE_NAME,
    version=4,
    scope=Scope.EPISODE,
    reads=(
        Read(Episode, "ingest"),
        Read(ActionTrack, "ingest"),
        Read(Filmstrip, "ingest"),
        Read(LagCurve, "lag"),
        Read(SourceLag, "vote"),
        Read(Finding, "ingest"),
    ),
    writes=(Alignment, Finding),
    recipe_slice=lambda recipe: recipe.align,
    run=run,
    content_keyed=True,
)
