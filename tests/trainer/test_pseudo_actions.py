"""Actions nobody measured are not learnt unless the configuration says so."""

import dataclasses

import numpy as np
import torch

from tests.trainer.events import sample, stats_of
from trainer.configs import tiny
from trainer.example import example_of, shown_whole

LEARNS = dataclasses.replace(tiny(), data=dataclasses.replace(tiny().data, pseudo_actions=True))


def test_events_with_pseudo_actions_are_video_by_default() -> None:
    seen = dataclasses.replace(sample(), action_kind="pseudo")
    shown = shown_whole(seen, tiny().data)
    assert len(example_of(shown, stats_of(seen), tiny()).actions_KA) == 0
    assert len(example_of(shown, stats_of(seen), LEARNS).actions_KA) > 0
    assert len(example_of(shown_whole(sample(), tiny().data), stats_of(seen), tiny()).actions_KA) > 0


def test_a_sample_knows_whose_statistics_it_needs() -> None:
    assert sample().statistics_group == "arm"
    assert dataclasses.replace(sample(), action_kind="pseudo").statistics_group == "arm:pseudo"


def test_rows_without_a_number_reach_the_model_as_nothing() -> None:
    """A single NaN among the inputs would spread to every token of the event."""
    seen = sample()
    stats = stats_of(seen)
    assert seen.action_T20 is not None
    assert seen.action_valid_T is not None
    holes = seen.action_T20.copy()
    holes[5, :3] = np.nan
    unseen = dataclasses.replace(seen, action_T20=holes, action_valid_T=np.arange(len(holes)) != 5)
    config = dataclasses.replace(tiny(), data=dataclasses.replace(tiny().data, max_actions=999))
    example = example_of(shown_whole(unseen, config.data), stats, config)
    assert torch.isfinite(example.actions_KA).all()
    assert not bool(example.valid_K[5])
