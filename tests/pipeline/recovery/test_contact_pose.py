"""Where an arm stands at a contact, and when its scene is taken."""

import numpy as np
import pytest

from pipeline.recovery.contact_pose import NoContactPose, contact_pose
from schemas.event import BoundaryKind
from tests.pipeline.recovery.made import MadeEpisode


def test_the_tool_at_the_scene_is_that_of_its_row(episode: MadeEpisode) -> None:
    found = contact_pose(episode.event(BoundaryKind.GRASP), episode.actions)
    position = episode.actions.state[0].position
    assert position is not None
    assert np.allclose(found.tool, position[found.row])
    assert found.scene_ns == episode.actions.times_ns[found.row]


def test_without_actions_there_is_no_pose(episode: MadeEpisode) -> None:
    with pytest.raises(NoContactPose, match="no state of the right arm"):
        contact_pose(episode.event(BoundaryKind.GRASP), None)
