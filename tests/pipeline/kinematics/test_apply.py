"""Kinematics in ingest: poses from joints first, then joints from poses, as the source's section says."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("pinocchio", reason="kinematics need the extra `robot`")

from pipeline.kinematics.apply import with_kinematics
from pipeline.sources.raw import RawEpisode
from schemas.episode import ActionKind, ActionTrack
from schemas.source import EpisodeRef
from tests.pipeline.kinematics.robots import joint_track, planar_spec, seven_joints, seven_retarget, seven_spec
from tests.pipeline.sources.one_episode import ref_to, spec_of


def ref_with(**keys: Any) -> EpisodeRef:
    spec = spec_of(**{key: [part.model_dump(mode="json") for part in parts] for key, parts in keys.items()})
    return ref_to("made", spec=spec)


def raw(actions: ActionTrack | None) -> RawEpisode:
    return RawEpisode("", (), actions, rows_are_frames=False, annotations=(), findings=())


def test_a_source_that_says_nothing_is_left_alone() -> None:
    episode = raw(joint_track(np.zeros((5, 2))))
    assert with_kinematics(ref_with(), episode) is episode


def test_one_robots_joints_become_anothers() -> None:
    """The same arm plays both, so every row can be followed; the other one stands a little higher."""
    joints = seven_joints(30)
    ref = ref_with(kinematics=[seven_spec()], retarget=[seven_retarget(base_pose={"xyz": [0, 0, 0.05]})])
    track = with_kinematics(ref, raw(joint_track(joints))).actions
    assert track is not None
    assert track.kind is ActionKind.RETARGETED
    assert track.joint_names[:7] == tuple(f"j{i}" for i in range(7))
    assert track.joint_names[7:] == tuple(f"right.joint{i}" for i in range(1, 8))
    assert track.valid.all()
    assert track.state[0].position is not None
    assert "forward kinematics" in track.provenance
    assert "retargeted" in track.provenance


def test_findings_join_the_episodes_own() -> None:
    found = with_kinematics(ref_with(kinematics=[planar_spec()]), raw(joint_track(np.full((5, 2), 9.0)))).findings
    assert [finding.check for finding in found] == ["joint_out_of_limits"]


def test_a_recording_without_actions_is_told() -> None:
    (finding,) = with_kinematics(ref_with(retarget=[seven_retarget()]), raw(None)).findings
    assert finding.check == "kinematics_without_actions"


def test_the_chain_is_part_of_the_fingerprint_and_not_of_the_identity() -> None:
    plain, described = ref_with(), ref_with(kinematics=[planar_spec()])
    longer = planar_spec(tcp_offset={"xyz": [0, 0, 0.001]})
    assert len({ref.fingerprint for ref in (plain, described, ref_with(kinematics=[longer]))}) == 3
    assert plain.episode_id == described.episode_id
    assert ref_with(kinematics=[planar_spec()]).fingerprint == described.fingerprint
