"""What a UMI session says once for all its demos: where the tag is, what each gripper's range is, how the lens bends.

Anything of it may be missing or damaged; a demo can be read without, and a finding says what that costs.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache, sha256_of
from pipeline.sources.reference import about_source
from pipeline.sources.storage import json_file
from pipeline.sources.storage.json_file import dict_of, number_of
from pipeline.sources.umi.umi_gripper import lens_of
from pipeline.sources.umi.umi_trajectory import tag_transform
from schemas.finding import Finding
from schemas.recipe_formats.umi_session import UmiSessionSource

VIDEO = "raw_video.mp4"
DEMO = re.compile(r"^demo_(?P<serial>[^_]+)_")
_CALIBRATION = re.compile(r"^gripper_calibration_(?P<serial>[^_]+)_")
_TAG, _RANGE = "mapping/tx_slam_tag.json", "gripper_range.json"
_TAG_IDS = ("left_finger_tag_id", "right_finger_tag_id")
_WIDTHS = ("min_width", "max_width")


@dataclass(frozen=True, eq=False)
class Listed:
    """A source and all its files by path."""

    spec: UmiSessionSource
    files: SourceFiles
    digests: DigestCache
    stats: Mapping[str, FileStat]

    def document(self, path: str) -> Any:
        """A small JSON file, or None when it is not there or no JSON."""
        try:
            return json_file.document(self.files, path) if path in self.stats else None
        except SourceError:
            return None


@dataclass(frozen=True)
class Session:
    """What is known of a session, in JSON's types; ``findings`` say what is not."""

    tag: list[list[float]] | None
    """The tag's pose in the SLAM map."""
    grippers: Mapping[str, dict[str, Any]]
    """By the camera's serial number: ``tags`` [left, right], ``range_m`` [closed, open], ``video`` [path, sha256]."""
    findings: list[Finding] = field(default_factory=list)


def read_session(listed: Listed, demos: str, folders: list[str]) -> Session:
    """``demos`` is the session's folder of demos, ``folders`` what stands in it."""
    source, path = listed.spec.name, f"{demos}/{_TAG}"
    findings, grippers = list(_about(listed.spec, demos, folders)), dict[str, dict[str, Any]]()
    tag = tag_transform(listed.document(path))
    if tag is None:
        found = "holds no pose" if path in listed.stats else "is missing"
        message = f"{source}: {path} {found}; poses stay in the SLAM map's frame, whose origin and up are chance"
        findings.append(about_source(source, "tag_transform_missing", message))
    for folder in folders:
        if match := _CALIBRATION.match(folder):
            path = f"{demos}/{folder}/{_RANGE}"
            gripper = _gripper(listed.document(path))
            if "range_m" not in gripper:
                message = f"{source}: {path} lacks tags or widths; the gripper's range is taken from the videos"
                findings.append(about_source(source, "gripper_range_missing", message))
            grippers[match["serial"]] = gripper | _calibration_video(listed, f"{demos}/{folder}/{VIDEO}")
    return Session(tag, grippers, findings)


def _calibration_video(listed: Listed, path: str) -> dict[str, Any]:
    """Where the gripper is opened and closed once; looked at only where there is no lens."""
    stat = listed.stats.get(path)
    if stat is None or listed.spec.intrinsics is not None or not listed.spec.detect_gripper:
        return {}
    return {"video": [path, sha256_of(listed.files, stat, listed.digests)]}


def _about(spec: UmiSessionSource, demos: str, folders: list[str]) -> Iterator[Finding]:
    serials = sorted({match["serial"] for folder in folders if (match := DEMO.match(folder))})
    if len(serials) > 1:
        message = (
            f"{spec.name}: {demos} has demos of {len(serials)} cameras ({', '.join(serials)[:200]}); each demo is an "
            "episode of its own: say in `arms` which arm holds which camera"
        )
        yield about_source(spec.name, "grippers_not_paired", message, value=len(serials))


def _gripper(stated: Any) -> dict[str, Any]:
    """Tags and range as UMI's calibration writes them; empty when any of it makes no sense."""
    tags = [dict_of(stated).get(key) for key in _TAG_IDS]
    low, high = (number_of(dict_of(stated).get(key)) for key in _WIDTHS)
    if not all(type(tag) is int and 0 <= tag < 50 for tag in tags) or tags[0] == tags[1]:
        return {}
    if low is None or high is None or not 0 <= low < high < 1:
        return {"tags": tags}
    return {"tags": tags, "range_m": [low, high]}


def stated_lens(spec: UmiSessionSource, files: SourceFiles) -> dict[str, Any] | None:
    """The recipe's intrinsics, in JSON's types. Raises SourceError when UMI's calibration did not write the file."""
    if spec.intrinsics is None:
        return None
    lens = lens_of(json_file.document(files, spec.intrinsics), files.url_of(spec.intrinsics))
    return {
        "width": lens.width,
        "height": lens.height,
        "matrix": lens.matrix.tolist(),
        "distortion": lens.distortion.tolist(),
    }
