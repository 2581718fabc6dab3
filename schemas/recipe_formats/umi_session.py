"""A raw UMI session in a recipe."""

from typing import Literal

from pydantic import Field, model_validator

from schemas.episode import Arm
from schemas.recipe_formats.umi_zarr import UMI_FPS
from schemas.recipe_section import Positive, Text, impossible
from schemas.recipe_source import SourceSection
from schemas.source import SourceKind


class UmiSessionSource(SourceSection):
    """A session folder as UMI's SLAM pipeline leaves it, or a folder of such folders."""

    format: Literal["umi_session"]
    kind: SourceKind = SourceKind.UMI
    embodiment: str | None = Field(default="umi_gripper", description="Name of the gripper.")
    fps: Positive = Field(
        default=UMI_FPS, description="Frames per second of the camera. Default: 60000/1001, a GoPro's 59.94."
    )
    arms: dict[str, Arm] = Field(
        default_factory=dict,
        description="Which arm holds a camera, by the serial number in `demo_<serial>_<time>`. Default: `right`.",
    )
    detect_gripper: bool = Field(
        default=False,
        description="Measure the gripper's opening by finding its ArUco tags in the video; slow (every frame is "
        "searched once, at ingest).",
    )
    intrinsics: Text | None = Field(
        default=None,
        description="UMI's fisheye intrinsics JSON, below the source's folder. Without it the opening is the distance "
        "between the tags in pixels, in its own range.",
    )
    tag_size_m: Positive = Field(default=0.016, description="Side of the finger tags, in metres.")
    max_gap_s: float = Field(
        default=0.2, ge=0.0, description="Frames without tags are interpolated over at most this long."
    )
    tcp_offset_m: float = Field(
        default=0.205, description="From the camera's mounting screw forward to the finger tips, in metres."
    )
    mount_offset_m: float = Field(
        default=0.01465, description="From the optical centre forward to the mounting screw, in metres (GoPro 9 to 11)."
    )
    camera_height_m: float = Field(
        default=0.086, description="From the optical centre down to the fingers' plane, in metres."
    )

    @model_validator(mode="after")
    def _intrinsics_lie_inside(self) -> "UmiSessionSource":
        if self.intrinsics is not None:
            if self.intrinsics.startswith("/") or ".." in self.intrinsics.split("/"):
                raise impossible("intrinsics", f"found {self.intrinsics!r}, expected a path below the source's folder")
            if not self.intrinsics.endswith(".json"):
                raise impossible("intrinsics", f"found {self.intrinsics!r}, expected a .json file")
        return self
