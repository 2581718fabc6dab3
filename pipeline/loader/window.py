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
from pipeline.loader.splice import spliced
from pipeline.loader.timeline import Named, majority
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
class Piece:
    """Frames of one event inside of a window."""

    location: Location
    first_frame: int
    n_frames: int


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
    others: tuple[Piece, ...] = ()
    """Where the window reaches over the edges of its event: all it is made of, in order."""
    named: tuple[Named, ...] = ()
    """Where it is not called what its event is called: candidates, of which the one with most of the window counts."""

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """What the window is made of."""
        return self.others or (Piece(self.location, self.first_frame, self.n_frames),)


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
    """The whole event's record and words, or those of the event with most of the window; its actions and states are the
    rows inside the window, its views are left out."""
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
    parts: list[_Part] = []
    refused: list[Refused] = []
    places, begin = _shown(request), 0
    for piece in request.pieces:
        inside = piece.first_frame + places[(places >= begin) & (places < begin + piece.n_frames)] - begin
        found = _read_piece(reader, piece, inside, request.seen, with_views=known is None)
        begin += piece.n_frames
        if isinstance(found, _Part):
            parts.append(found)
        else:
            refused += found
    if refused:
        return Damaged(request.draw, request.attempt, tuple(refused))
    clips = tuple(clip for part in parts for clip in part.clips)
    pictures: list[dict[str, Pixels]] = []
    if known is None or not known(clips):
        for part in parts:
            shown, wrong = _pictures(reader, part, decoder)
            pictures.append(shown)
            refused += wrong
    if refused:
        return Damaged(request.draw, request.attempt, tuple(refused))
    try:
        event = spliced([part.event for part in parts], [part.end_ns - part.start_ns for part in parts])
        pixels = _in_a_row([one for one in pictures if one])
    except _UNREADABLE as error:
        why = f"{CONTENT}: {error}"
        return Damaged(request.draw, request.attempt, (_refused(request.location, "event.json", why),))
    return Window(
        draw=request.draw,
        attempt=request.attempt,
        row=request.row,
        cell=request.cell,
        kind=request.kind,
        first_frame=request.first_frame,
        n_frames=request.n_frames,
        n_tokens=request.n_tokens,
        event=_worded(event, request.named, parts[0].start_ns, parts[-1].end_ns),
        pixels=pixels,
        times_ns=np.concatenate([part.instants_ns for part in parts]),
        clips=clips,
    )


def _in_a_row(pieces: list[dict[str, Pixels]]) -> dict[str, Pixels]:
    if len(pieces) <= 1:
        return pieces[0] if pieces else {}
    return {camera: np.concatenate([piece[camera] for piece in pieces]) for camera in pieces[0]}


def _worded(event: EventSample, named: tuple[Named, ...], start_ns: int, end_ns: int) -> EventSample:
    caption = majority(named, start_ns, end_ns)
    return event if caption is None else replace(event, captions={**event.captions, event.level: caption})


@dataclass(frozen=True, eq=False)
class _Part:
    """A piece as read."""

    location: Location
    event: EventSample
    views: list[MemberRange]
    """Of which pictures are shown."""
    clips: tuple[SeenClip, ...]
    """The pictures shown of each."""
    contents: Mapping[str, bytes]
    instants_ns: Ints
    start_ns: int
    end_ns: int


def _read_piece(
    reader: RangeReader, piece: Piece, places: Ints, seen: Seen, *, with_views: bool
) -> _Part | list[Refused]:
    """One event's record and its rows inside the piece, with the bytes of its views or without; or what is wrong."""
    location, (views, rest) = piece.location, _members_of(piece.location, seen)
    contents, refused = _contents(reader, location, views + rest if with_views else rest)
    if refused:
        return refused
    try:
        unseen = {member.name: b"" for member in location.members}
        event = sample_from_members(location.event_id, unseen | contents)
        times_ns = event.view_times_ns[event.master_view]
        window, end_ns = _rows_inside(event, times_ns, piece)
        instants = times_ns[places]
        clips = tuple(_clip(member, event, instants) for member in views) if len(places) else ()
    except _UNREADABLE as error:
        return [_refused(location, "event.json", f"{CONTENT}: {error}")]
    shown = views if clips else []
    return _Part(location, window, shown, clips, contents, instants, int(times_ns[piece.first_frame]), end_ns)


def _members_of(location: Location, seen: Seen) -> tuple[list[MemberRange], list[MemberRange]]:
    """The views that are looked at, and everything that is no view."""
    views = [member for member in location.members if member.name.endswith(VIDEO_SUFFIX)]
    rest = [member for member in location.members if not member.name.endswith(VIDEO_SUFFIX)]
    return views[: seen.max_views], rest


def _clip(member: MemberRange, event: EventSample, instants_ns: Ints) -> SeenClip:
    camera = member.name.removesuffix(VIDEO_SUFFIX)
    return SeenClip(camera, member.sha256, tuple(frames_at(event.view_times_ns[camera], instants_ns)))


def _pictures(reader: RangeReader, part: _Part, decoder: Decoder) -> tuple[dict[str, Pixels], list[Refused]]:
    """Pictures by camera, and the clips that cannot be fetched or decoded."""
    contents, unread = part.contents, [member for member in part.views if member.name not in part.contents]
    if unread:
        fetched, refused = _contents(reader, part.location, unread)
        if refused:
            return {}, refused
        contents = {**contents, **fetched}
    pixels: dict[str, Pixels] = {}
    refused = []
    for member, clip in zip(part.views, part.clips, strict=True):
        try:
            pixels[clip.camera] = decode_clip(
                contents[member.name], frames=clip.frames, decoder=decoder, n_frames=member.n_frames
            )
        except ValueError as error:
            refused.append(_refused(part.location, member.name, f"{DECODE}: {error}"))
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


def _rows_inside(event: EventSample, times_ns: Ints, piece: Piece) -> tuple[EventSample, int]:
    """The event with the actions and states of the piece and without its videos, and when the piece ends."""
    stop = piece.first_frame + piece.n_frames
    if not 0 <= piece.first_frame < stop <= len(times_ns):
        raise ValueError(f"frames {piece.first_frame} … {stop - 1} of an event of {len(times_ns)}")
    bare = replace(event, views={}, record=event.record)
    end_ns = int(times_ns[stop]) if stop < len(times_ns) else event.span.end_ns
    if event.action_times_ns is None or event.action_T20 is None or event.state_T20 is None:
        return bare, end_ns
    start = int(np.searchsorted(event.action_times_ns, times_ns[piece.first_frame]))
    rows = slice(start if piece.first_frame else 0, int(np.searchsorted(event.action_times_ns, end_ns)))
    assert event.action_valid_T is not None
    assert event.state_valid_T is not None
    found = replace(
        bare,
        action_T20=event.action_T20[rows],
        action_valid_T=event.action_valid_T[rows],
        action_times_ns=event.action_times_ns[rows],
        state_T20=event.state_T20[rows],
        state_valid_T=event.state_valid_T[rows],
    )
    return found, end_ns


def _refused(location: Location, member: str, why: str) -> Refused:
    return Refused(location.event_id, member, why)
