"""A folder of video files in a recipe."""

from typing import Literal

from pydantic import Field

from schemas.episode import Protocol
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class VideoFolderSource(SourceSection):
    """A folder of video files; each file is one episode without actions."""

    format: Literal["video_folder"]
    kind: SourceKind = SourceKind.INTERNET
    protocol: Protocol = Protocol.UNSTRUCTURED
    embodiment: str | None = "none"
    title_is_instruction: bool = Field(
        default=False,
        description="Whether the title in a video's `.info.json` is its task in words; most titles are not.",
    )
