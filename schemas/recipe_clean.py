"""What cleaning measures a recording by: one key per threshold that a finding of `pipeline.clean` can name.

Apart from `schemas.recipe` because it is a subject of its own: sync places the clocks, these keys say what is kept.
"""

from typing import Self

from pydantic import Field, model_validator

from schemas.recipe_section import Fraction, Positive, Section, impossible


class CleanSpec(Section):
    """When a recording's pictures, control and motion are told, trimmed or dropped (wall_wm.md §2.3)."""

    # pictures
    min_fps: Positive = Field(default=10.0, description="Slower recordings are told and kept.")
    max_fps: Positive = Field(default=240.0, description="Faster recordings are told and kept.")
    max_period_spread: Positive = Field(
        default=0.2, description="Spread of frame periods, 5th to 95th percentile over the median, that is told."
    )
    max_frame_gap_s: Positive = Field(
        default=0.5, description="A longer hole between two frames is told, if it is five usual periods too."
    )
    max_uncovered_s: Positive = Field(
        default=0.1, description="A second view that misses more of the master view's time is told."
    )
    trim_black: bool = Field(default=True, description="Leave out black frames at both ends; those between are kept.")
    min_sharpness: Positive = Field(default=20.0, description="Variance of the Laplacian below which nothing is seen.")
    max_blurred_share: Fraction = Field(
        default=0.1, description="A view in which more frames lack detail, and are not black, is told."
    )
    frozen_s: Positive = Field(default=0.5, description="A picture that stands still for as long is frozen.")
    max_duplicated_share: Fraction = Field(
        default=0.05, description="A view that repeats more of its frames, frozen stretches aside, is told."
    )
    # control
    max_action_gap_s: Positive = Field(default=0.5, description="Longer stretches without valid actions are trimmed.")
    max_invalid_share: Fraction = Field(default=0.2, description="More bad action rows, and the episode is dropped.")
    max_mismatch_periods: Positive = Field(
        default=2.0, description="Actions that last this many periods longer or shorter than the video are told."
    )
    min_gripper_travel: Fraction = Field(
        default=0.02, description="A gripper that moves over less of 0 … 1 says nothing about grasps."
    )
    max_gripper_overshoot: Positive = Field(
        default=0.5, description="A gripper that leaves 0 … 1 by more is in other units; real ones overshoot a little."
    )
    max_gripper_jumps_s: Positive = Field(
        default=4.0, description="Jumps over half the range per second that no gripper makes; a broken signal does."
    )
    # motion
    max_speed_m_s: Positive = Field(default=3.0, description="A faster end effector is a kinematic discontinuity.")
    max_turn_rad_s: Positive = Field(default=20.0, description="A wrist that turns faster is a discontinuity.")
    max_joint_leap: Positive = Field(
        default=0.25, description="Share of its range no joint crosses and returns from within two rows."
    )
    stuck_s: Positive = Field(
        default=0.5, description="Readings repeated to the last bit for as long, while pictures move, are trimmed."
    )
    max_idle_s: Positive = Field(default=5.0, description="Longer stretches in which nothing moves are trimmed.")
    max_edge_speed_m_s: Positive = Field(
        default=0.1, description="A structured episode that starts or ends faster was cut off."
    )

    @model_validator(mode="after")
    def _some_rate_is_allowed(self) -> Self:
        if self.max_fps < self.min_fps:
            raise impossible("max_fps", f"found {self.max_fps}, expected at least min_fps ({self.min_fps})")
        return self
