"""Pictures: by the SHA-256 of their file, never by a path."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import FileResponse
from starlette.responses import Response

from annotators.review.caller import ReviewOf
from annotators.review.media import frame_jpeg
from annotators.review.media_registry import RegisteredMedia
from annotators.review.refusal import RefusalError
from annotators.review.review import Review

router = APIRouter()
Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


@router.get("/media/{sha256}.mp4")
def mp4(sha256: Sha256, review: ReviewOf) -> Response:
    """The file, or the range of it that is asked for."""
    _registered(review, sha256)
    path = review.folder.media_file(sha256)
    return FileResponse(path, media_type="video/mp4", headers=_for_good(sha256))


@router.get("/media/{sha256}.times")
def times(sha256: Sha256, review: ReviewOf) -> Response:
    """When each picture appears and when the last one ends: int64 nanoseconds, little-endian, from the first one."""
    edges = _registered(review, sha256).proxy.edges_ns.astype("<i8").tobytes()
    return Response(edges, media_type="application/octet-stream", headers=_for_good(sha256))


@router.get("/media/{sha256}/frames/{frame}.jpg")
def picture(sha256: Sha256, frame: int, review: ReviewOf, h: Annotated[int, Query(ge=16, le=2160)] = 180) -> Response:
    """Exactly this picture."""
    proxy = _registered(review, sha256).proxy
    if not 0 <= frame < proxy.n_frames:
        raise RefusalError(404, "frame", found=frame, expected=f"0 … {proxy.n_frames - 1}")
    jpeg = frame_jpeg(review.folder.media_file(sha256), proxy.edges_ns, frame, h)
    return Response(jpeg, media_type="image/jpeg", headers=_for_good(f"{sha256}-{frame}-{h}"))


def _registered(review: Review, sha256: str) -> RegisteredMedia:
    found = review.media.with_sha256(sha256)
    if not found or not review.folder.media_file(sha256).is_file():
        raise RefusalError(404, f"/media/{sha256}", expected="pictures of an episode under review")
    return found[0]


def _for_good(tag: str) -> dict[str, str]:
    return {"etag": f'"{tag}"', "cache-control": "private, max-age=31536000, immutable"}
