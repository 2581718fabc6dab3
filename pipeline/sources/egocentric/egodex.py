"""EgoDex: short first-person videos of one manipulation each, with the wearer's hands as the headset tracked them.

``<task>/<i>.mp4`` and ``<task>/<i>.hdf5``; frame i was recorded with row i. Poses are world-from-joint, metres, in
ARKit's world, whose origin is another one in every episode. Nobody commands a hand, so there are no targets.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.egocentric.egodex_hands import Hand, hand, joints_of, n_rows_of, poses
from pipeline.sources.facts import FormatFacts
from pipeline.sources.raw import RawCamera, RawEpisode
from pipeline.sources.reference import (
    about_episode,
    about_source,
    declared_defects,
    metadata_of,
    recipe_part,
    reference,
    source_files,
)
from pipeline.sources.spans import says_something
from pipeline.sources.storage.hdf5 import Hdf5, opened
from pipeline.sources.views import Claims, part_of, view
from schemas.array import Floats, Ints
from schemas.episode import ActionKind, ActionTrack, SourceSpan, SpanMeaning
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.egodex import EgoDexSource
from schemas.source import EpisodeRef, SourceKind
from schemas.time import NS_PER_S

_CAMERA, _TABLE = "ego", "table"
_FPS = 30.0
_SPOKEN_OF = ("task", "llm_verbs", "llm_objects", "environment")
"""Attributes kept as annotations of the whole episode."""
FACTS = FormatFacts(
    title="EgoDex",
    kinds=(SourceKind.EGOCENTRIC,),
    layout="`<task>/<i>.mp4` and `<task>/<i>.hdf5` with `transforms/<joint>`, `camera/intrinsic` and "
    "`confidences/<joint>`",
    clock="30 fps; frame i is row i and rows take the pictures' times",
    pose="leftHand and rightHand (wrists), metres, in ARKit's world, whose origin differs from episode to episode; "
    "fingers are five tips relative to the wrist, thumb first; the headset camera's pose per frame",
    rotation="4x4 matrices, world from joint",
    gripper="none; the distance of thumb and index tip over `pinch_open_m` stands in for it, 0 touching",
    commands="none; a person is not commanded",
    language="`llm_description`, or `llm_description2` where `llm_type` is reversible and `which_llm_description` is "
    "not 1; `description` in older files",
    spans="task, llm_verbs, llm_objects, environment, each over the whole episode (other)",
    refused="the other 58 joints of hands and body",
    tested_on="fixture: real hands and headset of hot3d_pose_fixture, real pictures of headset_clips_4fps",
)


def discover(spec: EgoDexSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per recording, tasks by name and recordings by number. Raises SourceError when there is none."""
    yield from declared_defects(spec)
    metadata = metadata_of(spec, {})
    pairs: dict[str, dict[str, FileStat]] = {}
    for stat in files.list():
        path = PurePosixPath(stat.path)
        if path.suffix.lower() in (".hdf5", ".mp4"):
            pairs.setdefault(str(path.with_suffix("")), {})[path.suffix.lower()] = stat
    if not pairs:
        raise SourceError(
            f"{files.root}: no .hdf5 and no .mp4 below it, expected <task>/<i>.hdf5 beside <task>/<i>.mp4; correct "
            f"`path` of source {spec.name}"
        )
    for stem in sorted(pairs, key=_in_order):
        pair = {suffix: stat for suffix, stat in pairs[stem].items() if stat.size}
        for suffix in (".hdf5", ".mp4"):
            if suffix not in pair:
                state = "is empty" if suffix in pairs[stem] else "is missing"
                lost = "actions and language" if suffix == ".hdf5" else "pictures"
                verdict = Verdict.KEEP if pair else Verdict.DROP
                message = f"{spec.name}: {stem}{suffix} {state}; its episode has no {lost}: fetch it again"
                yield about_source(spec.name, "file_of_pair_missing", message, verdict=verdict)
        parts = [
            (part, pair[suffix]) for part, suffix in ((_TABLE, ".hdf5"), (part_of(_CAMERA), ".mp4")) if suffix in pair
        ]
        if parts:
            yield reference(
                spec,
                files.root,
                embodiment="none",
                locator=stem,
                files=source_files(files, digests, parts),
                metadata=metadata,
                inside="",
            )


def _in_order(stem: str) -> tuple[str, int, str]:
    """Recording 10 comes after recording 9."""
    folder, _, name = stem.rpartition("/")
    return folder, int(name) if name.isascii() and name.isdigit() and len(name) < 10 else -1, name


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One recording. Raises SourceError when its video or its table cannot be read."""
    spec = recipe_part(ref, EgoDexSource)
    parts = {file.part: file.path for file in ref.files}
    if _TABLE not in parts:
        camera, findings = view(ref, files, _CAMERA, Claims(fps=_FPS))
        return RawEpisode("", (camera,), None, False, (), tuple(findings))
    with opened(files, parts[_TABLE]) as file:
        n_rows = n_rows_of(file, joints_of(spec.arms[0])[0])
        said = file.attributes()
        hands = [hand(file, arm, n_rows, spec.pinch_open_m, spec.min_confidence) for arm in spec.arms]
        findings = [finding for one in hands for finding in _hand_findings(ref, spec, one)]
        cameras = []
        if part_of(_CAMERA) in parts:
            camera, told = _camera(ref, files, file, n_rows)
            cameras, findings = [camera], [*told, *findings]
    edges_ns: Ints = np.round(np.arange(n_rows + 1) * (NS_PER_S / _FPS)).astype(np.int64)
    return RawEpisode(
        instruction=_instruction(said),
        cameras=tuple(cameras),
        actions=_track(ref, spec, hands, edges_ns[:-1]),
        rows_are_frames=True,
        annotations=tuple(
            SourceSpan(key, 0, int(edges_ns[-1]), text, SpanMeaning.OTHER)
            for key in sorted(_SPOKEN_OF)
            if says_something(text := _text(said.get(key)))
        ),
        findings=tuple(findings),
    )


def _camera(ref: EpisodeRef, files: SourceFiles, file: Hdf5, n_rows: int) -> tuple[RawCamera, list[Finding]]:
    """The headset's view, with what the file says of lens and place.

    The lens is calibrated for pictures twice as large as its centre is far in; on others it would be wrong unnoticed.
    """
    lens = _intrinsics(file)
    size = None if lens is None else (round(2 * float(lens[1, 2])), round(2 * float(lens[0, 2])))
    camera, findings = view(ref, files, _CAMERA, Claims(fps=_FPS, frames=n_rows, size=size))
    if any(finding.check == "frame_size_disagrees" for finding in findings):
        message = f"camera/intrinsic is for pictures of {size}, not for these; it is left out"
        findings.append(about_episode(ref, "intrinsics_left_out", message))
        lens = None
    places: Floats | None = None
    if file.has("/transforms/camera"):
        places, rigid = poses(file, "camera", n_rows)
        if not rigid.all():
            bad = int(np.count_nonzero(~rigid))
            message = f"transforms/camera is no pose in {bad} of {n_rows} rows; where the camera was is left out"
            findings.append(about_episode(ref, "extrinsics_left_out", message, bad, 0))
            places = None
    return dataclasses.replace(camera, intrinsics=lens, extrinsics=places), findings


def _intrinsics(file: Hdf5) -> Floats | None:
    """The camera matrix [3, 3], or None where there is none that could be one."""
    if not file.has("/camera/intrinsic") or file.shape("/camera/intrinsic") != (3, 3):
        return None
    matrix = file.numbers("/camera/intrinsic", 3)
    sane = np.isfinite(matrix).all() and 0 < matrix[0, 0] < 1e6 and 0 < matrix[1, 1] < 1e6
    centred = sane and 0 < matrix[0, 2] < 1e5 and 0 < matrix[1, 2] < 1e5
    return matrix if centred and np.array_equal(matrix[2], [0.0, 0.0, 1.0]) else None


def _track(ref: EpisodeRef, spec: EgoDexSource, hands: list[Hand], times_ns: Ints) -> ActionTrack:
    return ActionTrack(
        episode_id=ref.episode_id,
        kind=ActionKind.MEASURED,
        provenance="human hands, tracked by the headset (ARKit): wrist pose, five finger tips relative to the wrist; "
        f"opening is a proxy, the distance of thumb and index tip over {spec.pinch_open_m:g} m",
        times_ns=times_ns,
        valid=np.logical_and.reduce([one.tracked for one in hands]),
        state=tuple(one.track for one in hands),
        target=(),
        joint_names=(),
        joint_state=None,
        joint_target=None,
        frame="arkit_world",
    )


def _hand_findings(ref: EpisodeRef, spec: EgoDexSource, one: Hand) -> Iterator[Finding]:
    n_rows, arm = len(one.tracked), one.track.arm
    if not one.confident:
        message = f"the file does not say how far the {arm} hand's tracking can be trusted; all its rows count"
        yield about_episode(ref, "confidence_missing", message)
    if one.doubted:
        message = f"the headset hardly saw the {arm} hand in {one.doubted} of {n_rows} rows; they are invalid"
        yield about_episode(ref, "confidence_low", message, one.doubted / n_rows, spec.min_confidence)
    broken = n_rows - int(np.count_nonzero(one.tracked)) - one.doubted
    if broken:
        message = f"the {arm} hand has no pose that could be one in {broken} of {n_rows} rows; they are invalid"
        yield about_episode(ref, "rows_not_finite", message, broken, 0)


def _instruction(said: dict[str, Any]) -> str:
    """What was done, in words. A reversible task has two wordings, one per direction, and says which one applies."""
    second = _text(said.get("llm_type")) == "reversible" and _text(said.get("which_llm_description")) != "1"
    for key in ("llm_description2" if second else "llm_description", "description"):
        if says_something(text := _text(said.get(key))):
            return text
    return ""


def _text(value: object) -> str:
    """An attribute in words: text, a number, or several of them with commas."""
    if isinstance(value, np.ndarray):
        return ", ".join(str(item) for item in value.reshape(-1)[:100].tolist())
    return "" if value is None else str(value).strip()
