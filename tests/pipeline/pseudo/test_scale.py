"""Seen hands and measured grippers: each on its own scale, whatever dataset they share."""

import dataclasses

import numpy as np

from pipeline.calibrate import calibrate
from pipeline.clean import clean
from pipeline.pseudo.scale import CLOSED, OPEN, calibration_for
from schemas.calibration import Calibration
from schemas.episode import ActionKind, ActionTrack, Arm
from schemas.finding import Verdict
from schemas.recipe import AlignSpec, CalibrateSpec
from tests.pipeline.made_up import (
    even_times,
    make_actions,
    make_alignment,
    make_arm,
    make_camera,
    make_episode,
    make_strip,
)


def gripper(low: float, high: float, kind: ActionKind = ActionKind.MEASURED) -> ActionTrack:
    opening = np.tile(np.linspace(low, high, 100), 4)
    track = make_actions(even_times(400, 20.0), make_arm(np.zeros((400, 3)), opening))
    return dataclasses.replace(track, kind=kind)


def calibrated(*tracks: ActionTrack) -> Calibration:
    recordings = [(make_episode(make_camera(), kind=track.kind), make_alignment(), track) for track in tracks]
    (found,) = [
        record for record in calibrate("lab/test_arm", recordings, CalibrateSpec()) if isinstance(record, Calibration)
    ]
    return found


def test_seen_hands_take_no_part_in_a_groups_calibration() -> None:
    measured = calibrated(gripper(10, 90))
    mixed = calibrated(gripper(10, 90), gripper(0.1, 1.4, ActionKind.PSEUDO))
    assert mixed.openings[0].closed == measured.openings[0].closed
    assert mixed.openings[0].open == measured.openings[0].open
    assert calibrated(gripper(0.1, 1.4, ActionKind.PSEUDO)).openings == ()


def test_a_seen_hand_is_read_on_the_scale_of_hands() -> None:
    group = calibrated(gripper(10, 90))
    assert calibration_for(gripper(10, 90), group) is group
    assert calibration_for(None, group) is group
    scale = calibration_for(gripper(0, 1, ActionKind.PSEUDO), group).opening(Arm.RIGHT)
    assert scale is not None
    assert (scale.closed, scale.open, scale.informative) == (CLOSED, OPEN, True)


def test_a_hand_out_of_sight_is_no_fault_of_the_recording() -> None:
    hidden = np.arange(400) % 3 > 0
    track = dataclasses.replace(gripper(0.2, 1.0, ActionKind.PSEUDO), valid=~hidden)
    episode = make_episode(make_camera(), kind=ActionKind.PSEUDO)
    strips = [make_strip(episode.master)]

    def verdicts(kind: ActionKind) -> set[Verdict]:
        _, findings = clean(episode, dataclasses.replace(track, kind=kind), strips, [], AlignSpec())
        return {finding.verdict for finding in findings}

    assert verdicts(ActionKind.PSEUDO) <= {Verdict.KEEP}
    assert Verdict.DROP in verdicts(ActionKind.MEASURED)
