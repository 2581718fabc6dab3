"""HOT3D: hands, headset and objects measured by motion capture while somebody handles things, Aria and Quest 3.

One folder per sequence. The pictures lie in ``recording.vrs``, which is not read (see ``FACTS.refused``): sequences
are listed and their hands read, and cleaning drops them by name for want of a camera.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.egocentric.hot3d_tables import HandPoses, Mask, count_rows, on_rows, read_hands, read_mask
from pipeline.sources.facts import FormatFacts
from pipeline.sources.raw import RawEpisode
from pipeline.sources.reference import (
    about_episode,
    about_source,
    declared_defects,
    metadata_of,
    recipe_part,
    reference,
    source_files,
)
from pipeline.sources.spans import flag_runs
from schemas.array import Bools, Floats, Ints
from schemas.episode import ActionKind, ActionTrack, Arm, ArmTrack, SourceSpan, SpanMeaning
from schemas.finding import Finding
from schemas.pose import RotationEncoding
from schemas.recipe_formats.hot3d import Hot3dSource
from schemas.rotation import rotation_6d
from schemas.source import EpisodeRef, SourceKind

_HANDS = "mano_hand_pose_trajectory.jsonl"
_TABLES = {"hands": _HANDS, "headset": "headset_trajectory.csv", "objects": "dynamic_objects.csv"}
_UNREAD_HANDS = "umetrack_hand_pose_trajectory.jsonl"
_RECORDING = "recording.vrs"
_MASK = "mask_"
_COLOUR = "214-1"
_POSE_MASKS = ("hand_pose_available", "qa_pass")
"""A row without them has no pose to trust; the masks of pictures, objects and headset say nothing about hands."""
_INVALID = {"good_exposure": SpanMeaning.INVALID}
_USUAL_NS = 33_333_333
FACTS = FormatFacts(
    title="HOT3D",
    kinds=(SourceKind.EGOCENTRIC,),
    layout="a folder per sequence with `mano_hand_pose_trajectory.jsonl`, `headset_trajectory.csv`, "
    "`dynamic_objects.csv` and `masks/`",
    clock="nanoseconds of the headset; rows at the time stamps of one camera stream, 30 per second, from its first",
    pose="MANO's global translation of either hand, metres, in the motion capture's world: the wrist but for a "
    "constant that the hand's shape sets; fingers are MANO's 15 components",
    rotation="quaternion wxyz, world from wrist",
    gripper="none, and none is made up: components of a hand's pose are no opening",
    commands="none; a person is not commanded",
    language="the recipe's `instruction`",
    spans="masks where they are false: good_exposure (invalid), others but those of hand poses (other)",
    refused="recording.vrs and with it all pictures: the library that reads VRS, projectaria-tools, cannot write it, "
    "so that no file could be had to test a reader with; poses of objects and headset, which have no place without "
    "pictures and are counted in findings; UmeTrack's hands",
    tested_on="real: hot3d_pose_fixture (Aria and Quest 3)",
)


def discover(spec: Hot3dSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per folder with a table of HOT3D, in order of path. Raises SourceError when there is none."""
    yield from declared_defects(spec)
    metadata = metadata_of(spec, {})
    folders: dict[str, list[FileStat]] = {}
    for stat in files.list():
        path = PurePosixPath(stat.path)
        home = path.parent.parent if path.parent.name == "masks" else path.parent
        folders.setdefault(str(home), []).append(stat)
    found = False
    for folder in sorted(folders):
        parts = {_part_of(stat): stat for stat in folders[folder]}
        names = {PurePosixPath(stat.path).name for stat in folders[folder]}
        if not parts.keys() & _TABLES.keys():
            continue
        found = True
        if _RECORDING in names:
            message = f"{spec.name}: {folder}/{_RECORDING} is not read, nothing here reads VRS; it has no pictures"
            yield about_source(spec.name, "recording_not_read", message)
        if "hands" not in parts and _UNREAD_HANDS in names:
            message = f"{spec.name}: {folder} has UmeTrack's hands only, which are not read; MANO's are"
            yield about_source(spec.name, "hands_not_read", message)
        yield reference(
            spec,
            files.root,
            embodiment="none",
            locator=folder,
            files=source_files(files, digests, [(part, stat) for part, stat in sorted(parts.items()) if part]),
            metadata=metadata,
            inside="",
        )
    if not found:
        raise SourceError(
            f"{files.root}: no folder with {', '.join(_TABLES.values())} below it; correct `path` of source {spec.name}"
        )


def _part_of(stat: FileStat) -> str:
    """What a file is to its sequence; empty for what is not read."""
    path = PurePosixPath(stat.path)
    if path.parent.name == "masks":
        is_mask = path.suffix == ".csv" and path.stem.startswith(_MASK)
        return f"mask/{path.stem.removeprefix(_MASK)}" if is_mask else ""
    return next((part for part, name in _TABLES.items() if path.name == name), "")


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One sequence without pictures. Raises SourceError when a table cannot be read."""
    spec = recipe_part(ref, Hot3dSource)
    paths = {file.part: file.path for file in ref.files}
    masks = [
        read_mask(files, path, part.removeprefix("mask/")) for part, path in sorted(paths.items()) if "mask/" in part
    ]
    findings = list(_left_out(ref, files, paths))
    if "hands" not in paths:
        message = f"there is no {_HANDS}; hands of the test split are withheld by its publisher"
        findings.append(about_episode(ref, "hands_missing", message))
        return RawEpisode("", (), None, True, (), tuple(findings))
    hands = read_hands(files, paths["hands"])
    stream, rows, told = _stream(ref, spec, masks, hands.times_ns)
    times_ns = hands.times_ns[rows]
    flags = {mask.name: on_rows(mask, stream, times_ns) for mask in masks}
    actions, about_hands = _track(ref, hands, rows, flags)
    return RawEpisode(
        instruction="",
        cameras=(),
        actions=actions,
        rows_are_frames=False,
        annotations=tuple(_spans(flags, times_ns)),
        findings=(*findings, *told, *about_hands),
    )


def _left_out(ref: EpisodeRef, files: SourceFiles, paths: Mapping[str, str]) -> Iterator[Finding]:
    """What is there and has no place in an episode without pictures."""
    message = f"its pictures lie in {_RECORDING}, which is not read; the sequence has no camera"
    yield about_episode(ref, "pictures_not_read", message)
    if "objects" in paths:
        n_poses, n_objects = count_rows(files, paths["objects"])
        message = f"{n_poses} poses of {n_objects} objects are left out; an episode has no place for them yet"
        yield about_episode(ref, "object_poses_left_out", message, value=n_poses)
    if "headset" in paths:
        n_poses, _ = count_rows(files, paths["headset"])
        message = f"{n_poses} poses of the headset are left out; they belong to a camera, and there is none"
        yield about_episode(ref, "headset_poses_left_out", message, value=n_poses)


def _stream(
    ref: EpisodeRef, spec: Hot3dSource, masks: list[Mask], times_ns: Ints
) -> tuple[str | None, Bools, list[Finding]]:
    """The stream whose time stamps count, which rows have one, and what that leaves out; all rows without masks."""
    stamps: dict[str, set[int]] = {}
    for mask in masks:
        for stream, values in mask.by_stream.items():
            stamps.setdefault(stream, set()).update(values)
    if spec.stream is not None and spec.stream not in stamps:
        raise SourceError(
            f"{ref.root}/{ref.locator}: no stream {spec.stream} in its masks, found "
            f"{', '.join(sorted(stamps)[:9]) or 'none'}; correct `stream` of source {ref.source}"
        )
    if not stamps:
        message = "there are no masks; no row is known to be untracked, and rows of all camera streams are read"
        return None, np.ones(len(times_ns), np.bool_), [about_episode(ref, "masks_missing", message)]
    stream = spec.stream or (_COLOUR if _COLOUR in stamps else min(stamps))
    rows = np.isin(times_ns, np.array(sorted(stamps[stream]), np.int64))
    if not rows.any():
        raise SourceError(
            f"{ref.root}/{ref.locator}: no hand pose has a time stamp of stream {stream}; masks and {_HANDS} belong to "
            "different recordings"
        )
    findings = []
    if not rows.all():
        left_out = int(np.count_nonzero(~rows))
        message = (
            f"{left_out} of {len(rows)} hand poses are stamped for pictures of streams other than {stream}, which show "
            "the same instants; they are left out"
        )
        findings.append(about_episode(ref, "other_streams_left_out", message, left_out, 0))
    return stream, rows, findings


def _track(
    ref: EpisodeRef, hands: HandPoses, rows: Bools, flags: Mapping[str, Bools]
) -> tuple[ActionTrack, list[Finding]]:
    """Both hands at the chosen rows; a hand without any pose is left out, a row without a pose is invalid."""
    times_ns = hands.times_ns[rows]
    valid = np.ones(len(times_ns), np.bool_)
    findings, arms = [], []
    for arm, all_values in sorted(hands.hands.items()):
        values = all_values[rows]
        posed = _is_pose(values)
        if not posed.any():
            message = f"the {arm} hand has no pose in any row; the sequence has one hand"
            findings.append(about_episode(ref, "hand_missing", message))
            continue
        arms.append(_arm(arm, values, posed))
        valid &= posed
    for name in _POSE_MASKS:
        valid &= flags.get(name, True)
    if not valid.all():
        bad = int(np.count_nonzero(~valid))
        message = f"{bad} of {len(valid)} rows have no pose of a hand, or the masks say so; they are invalid"
        findings.append(about_episode(ref, "rows_not_valid", message, bad, 0))
    track = ActionTrack(
        episode_id=ref.episode_id,
        kind=ActionKind.MEASURED,
        provenance="human hands, tracked by motion capture (HOT3D): MANO's global translation and rotation; fingers "
        "are MANO's 15 pose components; no opening",
        times_ns=times_ns - times_ns[0],
        valid=valid,
        state=tuple(arms),
        target=(),
        joint_names=(),
        joint_state=None,
        joint_target=None,
        frame="world",
    )
    return track, findings


def _is_pose(values: Floats) -> Bools:
    """Rows [T] whose numbers are finite and whose quaternion is one."""
    with np.errstate(all="ignore"):
        finite = np.isfinite(values.astype(np.float32)).all(axis=1)
        unit = np.abs(np.linalg.norm(values[:, 3:7], axis=1) - 1.0) < 0.01
    return np.asarray(finite & unit)


def _arm(arm: Arm, values: Floats, posed: Bools) -> ArmTrack:
    kept = np.where(posed[:, None], values, np.nan)
    return ArmTrack(
        arm=arm,
        position=kept[:, :3].astype(np.float32),
        rotation=rotation_6d(kept[:, 3:7], RotationEncoding.QUATERNION_WXYZ),
        opening=None,
        fingers=kept[:, 7:].astype(np.float32).reshape(-1),
        n_fingers=kept.shape[1] - 7,
    )


def _spans(flags: Mapping[str, Bools], times_ns: Ints) -> Iterator[SourceSpan]:
    """Where a mask is false, as spans; those of hand poses are in the track's own mask."""
    steps = np.diff(times_ns)
    last_ns = int(np.median(steps)) if len(steps) else _USUAL_NS
    edges_ns = np.append(times_ns, times_ns[-1] + last_ns) - times_ns[0]
    for name, passed in sorted(flags.items()):
        if name not in _POSE_MASKS:
            meaning = _INVALID.get(name, SpanMeaning.OTHER)
            yield from flag_runs(f"{_MASK}{name}", ~passed, edges_ns, meaning, text="false")
