"""The contract of a self-collected recording."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.recording import Recording

CAMERA = {"name": "front", "file": "front.mp4", "role": "ego"}


def stated(**more: Any) -> dict[str, Any]:
    return {"joinery_recording": 1, "embodiment": "arm", "cameras": [CAMERA], **more}


def test_little_is_required() -> None:
    assert Recording.model_validate(stated()).frame == "base"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"cameras": [CAMERA, CAMERA]}, "found 'front' twice"),
        ({"cameras": [CAMERA, {**CAMERA, "name": "other"}]}, "found 'front.mp4' twice"),
        ({"cameras": [{**CAMERA, "file": "a/b.mp4"}]}, "expected the name of a file in the same folder"),
        ({"cameras": [{**CAMERA, "intrinsics": [[1, 2], [3, 4]]}]}, "at least 3 items"),
        ({"state": [{"arm": "left"}]}, "nothing is read for it"),
    ],
)
def test_what_contradicts_itself_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Recording.model_validate(stated(**more))
