"""What a reader returns: an episode whose tables are read and canonicalised and whose videos are not yet decoded."""

from dataclasses import dataclass

from schemas.array import Floats
from schemas.episode import ActionTrack, CameraRole, SourceSpan, VideoWindow
from schemas.finding import Finding


@dataclass(frozen=True, eq=False)
class RawCamera:
    """One view as the source describes it. ``expected_*`` are claims that ingest checks against the pictures."""

    name: str
    role: CameraRole
    video: VideoWindow
    """``end_ns = -1`` means up to the end of the stream."""
    starts_ns: int = 0
    """When the view's first picture is shown, on the episode clock; pictures before 0 are left out. Stays 0 where the
    source says no more than that its views start together."""
    expected_fps: float | None = None
    expected_frames: int | None = None
    intrinsics: Floats | None = None
    distortion: Floats | None = None
    extrinsics: Floats | None = None


@dataclass(frozen=True, eq=False)
class RawEpisode:
    """One episode before decoding; ``cameras[0]`` is the master view.

    What the recipe says of every episode of a source (protocol, licence, consent, fallback instruction) is no business
    of a reader; ingest adds it.
    """

    instruction: str
    """In the recording's own words; empty when it says none."""
    cameras: tuple[RawCamera, ...]
    """Empty when there are no pictures; cleaning then drops the episode and says why."""
    actions: ActionTrack | None
    """``times_ns`` on the episode clock (0 = first frame of the master view, or first row without pictures)."""
    rows_are_frames: bool
    """Row i of the actions was recorded with frame i of the master view: ingest then takes its time from the
    picture, and a nominal frame rate that is slightly off cannot pull the two apart."""
    annotations: tuple[SourceSpan, ...]
    findings: tuple[Finding, ...]
