"""Pictures: by the SHA-256 of their file, never by a path."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import FileResponse
from starlette.responses import Response

from annotators.review.audit import AuditKind
from annotators.review.caller import Caller, CallerOf, ReviewOf
from annotators.review.copies import must_be_in_sight
from annotators.review.media_registry import RegisteredMedia
from annotators.review.refusal import RefusalError
from annotators.review.review import Review

router = APIRouter()
Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


@router.get("/media/{sha256}.mp4")
def mp4(sha256: Sha256, review: ReviewOf, caller: CallerOf) -> Response:
    """The file, or the range of it that is asked for."""
    headers = _for_good(review, _registered(review, sha256, caller), sha256)
    return FileResponse(review.pictures.mp4(sha256), media_type="video/mp4", headers=headers)


@router.get("/media/{sha256}.times")
def times(sha256: Sha256, review: ReviewOf, caller: CallerOf) -> Response:
    """When each picture appears and when the last one ends: int64 nanoseconds, little-endian, from the first one."""
    headers = _for_good(review, _registered(review, sha256, caller), f"{sha256}-times")
    return FileResponse(review.pictures.times(sha256), media_type="application/octet-stream", headers=headers)


@router.get("/media/{sha256}/frames/{frame}.jpg")
def picture(
    sha256: Sha256,
    frame: int,
    review: ReviewOf,
    caller: CallerOf,
    h: Annotated[int, Query(ge=16, le=2160)] = 180,
) -> Response:
    """Exactly this picture."""
    found = _registered(review, sha256, caller)
    if not 0 <= frame < found.proxy.n_frames:
        raise RefusalError(404, "frame", found=frame, expected=f"0 … {found.proxy.n_frames - 1}")
    jpeg = review.pictures.picture(sha256, frame, h)
    return Response(jpeg, media_type="image/jpeg", headers=_for_good(review, found, f"{sha256}-{frame}-{h}"))


def _registered(review: Review, sha256: str, caller: Caller) -> RegisteredMedia:
    found = review.media.with_sha256(sha256)
    for each in found:
        must_be_in_sight(review, each.episode_id)
        if review.sheets.personal(each.episode_id):
            review.audit.enter(AuditKind.LOOKED_AT, caller.actor, each.episode_id, each.view)
    if not found or not review.folder.media_file(sha256).is_file():
        raise RefusalError(404, f"/media/{sha256}", expected="pictures of an episode under review")
    return found[0]


def _for_good(review: Review, found: RegisteredMedia, tag: str) -> dict[str, str]:
    """What a hash names never changes; pictures of people stay in no browser's cache."""
    personal = any(review.sheets.personal(each.episode_id) for each in review.media.with_sha256(found.proxy.sha256))
    kept = "no-store" if personal else "private, max-age=31536000, immutable"
    return {"etag": f'"{tag}"', "cache-control": kept}
