"""Stage ``cut``: the pictures of every event that may become a sample, encoded once.

One sequential decode per view serves all events of the sample level; they tile the kept part of the episode, so
at most one encoder is open at a time. A view gives an event the frames that *start* inside its span, which for
the master view is exactly the span's frames. A view without a frame in the span gets no clip. Shards copy the
bytes, so drawing an event ten times costs one encode, and a new plan encodes nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import av

from pipeline.clip import ClipEncoder
from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.formats import pictures
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.episode import Camera, Episode
from schemas.event import Event, Level
from schemas.recipe import ClipSpec, Recipe
from schemas.recipe_section import Section
from schemas.shard import Clip
from schemas.source import EpisodeRef
from schemas.tree import samples

Frames = Iterable[tuple[int, av.VideoFrame]]
"""(PTS in ns on the file's clock, frame), in presentation order, of one camera's window."""
FramesOf = Callable[[Camera], Frames]


class CutSlice(Section):
    """What of the recipe a clip depends on."""

    clip: ClipSpec
    level: Level
    captions_move_events: bool
    """Whether the events are caption's; else they are segment's, and other words cut no clip anew."""


@dataclass(frozen=True)
class Slot:
    """The frames [first, last) of one view that belong to one event."""

    event: Event
    first: int
    last: int


def cut(episode: Episode, events: Sequence[Event], spec: CutSlice, frames_of: FramesOf) -> Iterator[Clip]:
    """The clips of all events of the sample level, view by view, each in order of time.

    Raises SourceError when a view's frames are not those ingest saw.
    """
    wanted = samples(events, spec.level)
    for camera in episode.cameras:
        slots = slots_of(camera, wanted)
        if slots:
            yield from _cut_view(episode, camera, slots, spec.clip, frames_of(camera))


def slots_of(camera: Camera, samples: Sequence[Event]) -> list[Slot]:
    """Which frames of a view each event gets; events without any are left out."""
    slots = [Slot(event, *camera.clock.frames_within(event.span.start_ns, event.span.end_ns)) for event in samples]
    return [slot for slot in slots if slot.last > slot.first]


def _cut_view(
    episode: Episode, camera: Camera, slots: Sequence[Slot], spec: ClipSpec, frames: Frames
) -> Iterator[Clip]:
    pictures = numbered(episode, camera, frames)
    for slot in slots:
        encoder = ClipEncoder(spec)
        for number, frame in pictures:
            if number < slot.first:
                continue
            encoder.add(int(camera.times_ns[number]), frame)
            if number + 1 == slot.last:
                break
        else:
            raise SourceError(
                f"{episode.locator}, view {camera.name}: the video ends before frame {slot.last - 1}, ingest saw "
                f"{camera.n_frames}; the file has changed: run again, so that it is listed and ingested afresh"
            )
        clip = encoder.finish(camera.clock.edge_ns(slot.last))
        yield Clip(
            event_id=slot.event.event_id,
            episode_id=episode.episode_id,
            camera=camera.name,
            mp4=clip.mp4,
            n_frames=clip.n_frames,
            width=clip.width,
            height=clip.height,
            times_ns=camera.times_ns[slot.first : slot.last],
            sha256=clip.sha256,
        )


def numbered(episode: Episode, camera: Camera, frames: Frames) -> Iterator[tuple[int, av.VideoFrame]]:
    """(frame number, frame); every PTS must be where ingest found it, or labels would sit on other pictures."""
    origin_ns = camera.video.start_ns - int(camera.times_ns[0])
    for number, (pts_ns, frame) in enumerate(frames):
        if number == camera.n_frames:
            return
        if pts_ns - origin_ns != int(camera.times_ns[number]):
            raise SourceError(
                f"{episode.locator}, view {camera.name}: frame {number} is stamped {pts_ns - origin_ns} ns, ingest "
                f"saw {int(camera.times_ns[number])} ns; the file has changed: run again, so that it is ingested afresh"
            )
        yield number, frame


def view_frames(ref: EpisodeRef, files: SourceFiles, camera: Camera) -> Iterator[tuple[int, av.VideoFrame]]:
    """One camera's window of its source file, decoded on one thread."""
    for picture in pictures(ref, files, camera.video):
        yield picture.pts_ns, picture.frame


def run(bundle: Bundle, spec: CutSlice) -> Iterable[object]:
    """All clips of one episode; none when align dropped it."""
    ref, files = bundle.episode_ref(), bundle.source_files()
    return cut(bundle.one(Episode), bundle.all(Event), spec, lambda camera: view_frames(ref, files, camera))


def _slice(recipe: Recipe) -> CutSlice:
    moved = recipe.caption.by.method == "vlm"
    return CutSlice(clip=recipe.clip, level=recipe.balance.level, captions_move_events=moved)


STAGE = Stage(
    name="cut",
    version=3,
    scope=Scope.EPISODE,
    reads=(
        Read(Episode, "ingest"),
        Read(Event, "segment", wanted=lambda spec: not spec.captions_move_events),
        Read(Event, "caption", wanted=lambda spec: spec.captions_move_events),
    ),
    writes=(Clip,),
    recipe_slice=_slice,
    run=run,
    reads_source=True,
)
