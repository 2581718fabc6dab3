"""A contact event of the made-up world, as the stages would find it, and its plan."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.recovery.demonstration import Demonstration
from pipeline.recovery.plan import planned_event
from pipeline.synthetic.catalogue import ROBOT_SOURCES
from pipeline.synthetic.trajectory import Trajectory, as_action_track
from schemas.episode import ActionKind, ActionTrack, Episode, Protocol
from schemas.event import Boundary, BoundaryKind, Event, Level, Provenance, RecoveryKind, ReviewState, Verb
from schemas.recipe_recover import RecoverSpec
from schemas.recovery_plan import PlannedEvent
from schemas.source import EpisodeRef, SourceKind, make_ref
from schemas.time import Span

SOURCE = "open_robot"
SOURCE_NUMBER = next(i for i, source in enumerate(ROBOT_SOURCES) if source.name == SOURCE)
VERBS = {BoundaryKind.GRASP: Verb.GRASP, BoundaryKind.SUPPORT: Verb.PLACE, BoundaryKind.RELEASE: Verb.RELEASE}


@dataclass(frozen=True, eq=False)
class MadeEpisode:
    """One episode of a corpus and what the stages know of it."""

    trajectory: Trajectory
    ref: EpisodeRef
    episode: Episode
    actions: ActionTrack

    def event(self, kind: BoundaryKind, verb: Verb | None = None, **more: object) -> Event:
        """The action that begins at the first true boundary of a kind."""
        found = next(boundary for boundary in self.trajectory.boundaries if boundary.kind is kind)
        row = int(np.searchsorted(self.actions.times_ns, found.t_ns))
        start_ns, end_ns = map(int, self.actions.times_ns[[row, row + 8]])
        start = Boundary(kind, row, start_ns, 0.9, 0.02, ("made",), found.arm)
        stated = {
            "event_id": f"ev-{kind}",
            "episode_id": self.ref.episode_id,
            "level": Level.ACTION,
            "parent_id": "",
            "span": Span(row, row + 8, start_ns, end_ns, row, row + 8),
            "start": start,
            "end": start,
            "verb": verb or VERBS[kind],
            "caption": f"<{kind}> & co",
            "objects": (),
            "arm": found.arm,
            "recovery": RecoveryKind.NONE,
            "static_fraction": 0.0,
            "motion": None,
            "needs_vlm": False,
            "boundaries_by": Provenance("made"),
            "caption_by": None,
            "review": ReviewState.PROPOSED,
            "revision": 0,
            **more,
        }
        return Event(**stated)  # type: ignore[arg-type]

    def planned(self, kind: BoundaryKind, spec: RecoverSpec | None = None) -> tuple[PlannedEvent, Demonstration]:
        planned, demonstration = planned_event(
            self.event(kind), self.episode, self.ref, self.actions, spec or RecoverSpec()
        )
        assert demonstration is not None, planned.problem
        return planned, demonstration


def made_episode(corpus: Path) -> MadeEpisode:
    """A plain pick and place: the first episode of the one-armed source."""
    trajectory = ROBOT_SOURCES[SOURCE_NUMBER].trajectory((0, SOURCE_NUMBER), 0)
    ref = make_ref(
        source=SOURCE,
        kind=SourceKind.OPEN_ROBOT,
        dataset=SOURCE,
        embodiment="single_arm",
        locator="episode_index=0",
        root=str(corpus / SOURCE),
        files=(),
        metadata="{}",
    )
    episode = Episode(
        episode_id=ref.episode_id,
        source=SOURCE,
        kind=SourceKind.OPEN_ROBOT,
        dataset=SOURCE,
        locator=ref.locator,
        embodiment="single_arm",
        instruction=trajectory.instruction,
        protocol=Protocol.STRUCTURED,
        action_kind=ActionKind.MEASURED,
        cameras=(),
        annotations=(),
        licence="CC0-1.0",
        consent="not stated",
    )
    return MadeEpisode(trajectory, ref, episode, as_action_track(trajectory, ref.episode_id))
