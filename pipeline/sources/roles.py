"""Which place a camera films from, judged by its name and by the kind of source it belongs to.

Sources hardly ever say it in a fixed vocabulary, but nearly all put it into the name.
"""

from schemas.episode import CameraRole
from schemas.source import SourceKind

_WORN = {SourceKind.EGOCENTRIC: CameraRole.EGO, SourceKind.UMI: CameraRole.WRIST_RIGHT}
"""Kinds of source whose only camera is worn or hand-held."""


def role_of(name: str, kind: SourceKind) -> CameraRole:
    """The camera's role. A wrist camera whose side is not named is taken as the right one: most arms are single."""
    words = name.lower()
    if "wrist" in words or "gripper" in words or "hand_cam" in words:
        return CameraRole.WRIST_LEFT if "left" in words else CameraRole.WRIST_RIGHT
    if "ego" in words or "head" in words.replace("overhead", ""):
        return CameraRole.EGO
    return _WORN.get(kind, CameraRole.THIRD_PERSON)
