"""One window of one event, from byte ranges to pixels: everything a worker does, and nothing it remembers.

A request says it all, so it may be done twice, by any worker, in any order. What cannot be read as the manifest
promises is reported member by member and left to whoever gave the request: a worker never decides what takes an
event's place.
"""

import hashlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from pipeline.loader.decode import Decoder, Pixels, decode_clip
from pipeline.loader.frames import even_indices, frame_count
from pipeline.loader.locations import Location
from pipeline.loader.range_reader import RangeReader
from pipeline.loader.sample import VIDEO_SUFFIX, EventSample, sample_from_members
from schemas.array import Ints
from schemas.load_plan import WindowKind
from schemas.shard import MemberRange

CHECKSUM, DECODE, CONTENT = "checksum", "decode", "content"
"""Why a member is refused: other bytes than the manifest's; no clip of as many frames; a record that cannot be read."""
_UNREADABLE = (ValueError, KeyError, IndexError, TypeError, SyntaxError, struct.error)
"""What parsing JSON and npz raises on bytes that are neither."""


@dataclass(frozen=True)
class Seen:
    """How a window is looked at: what the load plan counted tokens for."""

    max_views: int
    max_frames: int
    frames_per_latent: int


@dataclass(frozen=True)
class Request:
    """A window to be read."""

    draw: int
    attempt: int
    """0: the event the plan names; more: the how manieth substitute."""
    row: int
    """Of the catalogue."""
    cell: int
    kind: WindowKind
    first_frame: int
    n_frames: int
    n_tokens: int
    location: Location
    seen: Seen


@dataclass(frozen=True)
class SeenClip:
    """Which pictures of a clip a window shows, by content: the same clip and frames are the same pixels anywhere."""

    camera: str
    sha256: str
    """Of the clip's bytes."""
    frames: tuple[int, ...]


KnownPictures: TypeAlias = Callable[[tuple[SeenClip, ...]], bool]
"""Whether the reader has what it wants of these pictures already, so that they need not be fetched and decoded."""


@dataclass(frozen=True, eq=False)
class Window:
    """A window as read. Every array is the reader's own copy and may be changed."""

    draw: int
    attempt: int
    row: int
    cell: int
    kind: WindowKind
    first_frame: int
    n_frames: int
    n_tokens: int
    event: EventSample
    """The whole event's record and words; its actions and states are the rows inside the window, its views are
    left out."""
    pixels: Mapping[str, Pixels]
    """Camera to RGB uint8 [T, H, W, 3], master view first, every camera at the same instants; empty where they were
    known."""
    times_ns: Ints
    """int64 [T] of the master view's frames shown, on the episode clock."""
    clips: tuple[SeenClip, ...]
    """What ``pixels`` shows, in that order."""


@dataclass(frozen=True)
class Refused:
    """A member that is not what the manifest says."""

    event_id: str
    member: str
    why: str


@dataclass(frozen=True)
class Damaged:
    """A request that could not be met, with every member at fault."""

    draw: int
    attempt: int
    refused: tuple[Refused, ...]


def read_window(
    reader: RangeReader, request: Request, decoder: Decoder = "auto", known: KnownPictures | None = None
) -> Window | Damaged:
    """Read, check and decode one window: one request to the store where the views lie together.

    With ``known`` the record comes first, and the pictures in a second request, if at all. Raises StoreError when
    the shard is not there, ServiceError when the store cannot be read.
    """
    views, rest = _members_of(request)
    contents, refused = _contents(reader, request.location, rest if known is not None else views + rest)
    if refused:
        return Damaged(request.draw, request.attempt, tuple(refused))
    try:
        unseen = {member.name: b"" for member in request.location.members}
        event = sample_from_members(request.location.event_id, unseen | contents)
        times_ns = event.view_times_ns[event.master_view]
        places = request.first_frame + _shown(request)
        window = _rows_inside(event, times_ns, request)
        instants = times_ns[places]
        clips = tuple(_clip(member, event, instants) for member in views)
    except _UNREADABLE as error:
        return Damaged(request.draw, request.attempt, (_refused(request, "event.json", f"{CONTENT}: {error}"),))
    pixels: dict[str, Pixels] = {}
    if known is None or not known(clips):
        if known is not None:
            seen, refused = _contents(reader, request.location, views)
            contents |= seen
        if not refused:
            pixels, refused = _decoded(request, views, clips, contents, decoder)
    if refused:
        return Damaged(request.draw, request.attempt, tuple(refused))
    return Window(
        draw=request.draw,
        attempt=request.attempt,
        row=request.row,
        cell=request.cell,
        kind=request.kind,
        first_frame=request.first_frame,
        n_frames=request.n_frames,
        n_tokens=request.n_tokens,
        event=window,
        pixels=pixels,
        times_ns=instants,
        clips=clips,
    )


def _members_of(request: Request) -> tuple[list[MemberRange], list[MemberRange]]:
    """The views that are looked at, and everything that is no view."""
    views = [member for member in request.location.members if member.name.endswith(VIDEO_SUFFIX)]
    rest = [member for member in request.location.members if not member.name.endswith(VIDEO_SUFFIX)]
    return views[: request.seen.max_views], rest


def _clip(member: MemberRange, event: EventSample, instants_ns: Ints) -> SeenClip:
    camera = member.name.removesuffix(VIDEO_SUFFIX)
    return SeenClip(camera, member.sha256, tuple(frames_at(event.view_times_ns[camera], instants_ns)))


def _decoded(
    request: Request,
    views: list[MemberRange],
    clips: tuple[SeenClip, ...],
    contents: Mapping[str, bytes],
    decoder: Decoder,
) -> tuple[dict[str, Pixels], list[Refused]]:
    """Pictures by camera, and the clips that cannot be decoded."""
    pixels: dict[str, Pixels] = {}
    refused = []
    for member, clip in zip(views, clips, strict=True):
        try:
            pixels[clip.camera] = decode_clip(
                contents[member.name], frames=clip.frames, decoder=decoder, n_frames=member.n_frames
            )
        except ValueError as error:
            refused.append(_refused(request, member.name, f"{DECODE}: {error}"))
    return pixels, refused


def _contents(
    reader: RangeReader, location: Location, members: list[MemberRange]
) -> tuple[dict[str, bytes], list[Refused]]:
    """Members by name, each checked. What differs is asked for once more, past any memory: it may have been the way."""
    found = dict(zip(members, reader.read(location.shard, [_range(member) for member in members]), strict=True))
    wrong = [member for member in members if not _whole(member, found[member])]
    if wrong:
        again = reader.read(location.shard, [_range(member) for member in wrong], fresh=True)
        found |= dict(zip(wrong, again, strict=True))
        wrong = [member for member in wrong if not _whole(member, found[member])]
    refused = [Refused(location.event_id, member.name, CHECKSUM) for member in wrong]
    return {member.name: data for member, data in found.items()}, refused


def _range(member: MemberRange) -> tuple[int, int]:
    return member.offset, member.n_bytes


def _whole(member: MemberRange, data: bytes) -> bool:
    return len(data) == member.n_bytes and hashlib.sha256(data).hexdigest() == member.sha256


def _shown(request: Request) -> Ints:
    count = frame_count(request.n_frames, request.seen.max_frames, request.seen.frames_per_latent)
    return even_indices(request.n_frames, count)


def frames_at(times_ns: Ints, instants_ns: Ints) -> list[int]:
    """What was on a camera's screen at each instant; its first picture before that."""
    found: list[int] = np.maximum(np.searchsorted(times_ns, instants_ns, side="right") - 1, 0).tolist()
    return found


def _rows_inside(event: EventSample, times_ns: Ints, request: Request) -> EventSample:
    """The event with the actions and states of the window and without its videos."""
    stop = request.first_frame + request.n_frames
    if not 0 <= request.first_frame < stop <= len(times_ns):
        raise ValueError(f"frames {request.first_frame} … {stop - 1} of an event of {len(times_ns)}")
    bare = replace(event, views={}, record=event.record)
    if event.action_times_ns is None or event.action_T20 is None or event.state_T20 is None:
        return bare
    end_ns = int(times_ns[stop]) if stop < len(times_ns) else event.span.end_ns
    start = int(np.searchsorted(event.action_times_ns, times_ns[request.first_frame]))
    rows = slice(start if request.first_frame else 0, int(np.searchsorted(event.action_times_ns, end_ns)))
    assert event.action_valid_T is not None
    assert event.state_valid_T is not None
    return replace(
        bare,
        action_T20=event.action_T20[rows],
        action_valid_T=event.action_valid_T[rows],
        action_times_ns=event.action_times_ns[rows],
        state_T20=event.state_T20[rows],
        state_valid_T=event.state_valid_T[rows],
    )


def _refused(request: Request, member: str, why: str) -> Refused:
    return Refused(request.location.event_id, member, why)
