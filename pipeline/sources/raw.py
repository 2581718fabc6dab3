"""What a reader returns: an episode whose tables are read and canonicalised and whose videos are not yet decoded."""

from dataclasses import dataclass

from schemas.array import Floats
from schemas.episode import ActionTrack, CameraRole, Protocol, SourceSpan, VideoWindow
from schemas.finding import Finding


@dataclass(frozen=True, eq=False)
class RawCamera:
    """One view as the source describes it. ``expected_*`` are claims that ingest checks against the pictures."""

    name: str
    role: CameraRole
    video: VideoWindow
    """``end_ns = -1`` means up to the end of the stream."""
    expected_fps: float | None = None
    expected_frames: int | None = None
    intrinsics: Floats | None = None
    distortion: Floats | None = None
    extrinsics: Floats | None = None


@dataclass(frozen=True, eq=False)
class RawEpisode:
    """One episode before decoding; ``cameras[0]`` is the master view."""

    instruction: str
    protocol: Protocol
    cameras: tuple[RawCamera, ...]
    actions: ActionTrack | None
    """``times_ns`` on the episode clock (0 = first frame of the master view)."""
    rows_are_frames: bool
    """Row i of the actions was recorded with frame i of the master view: ingest then takes its time from the
    picture, and a nominal frame rate that is slightly off cannot pull the two apart."""
    annotations: tuple[SourceSpan, ...]
    findings: tuple[Finding, ...]
    licence: str
    consent: str
