"""Which side of the train/validation/test split an episode is on: a hash of its id, so that appending moves none.

Episodes that hold copies of each other must be on one side. They go to the one that is safest: training if any of them
belongs there by its own hash, else validation if any does. So a copy that is appended later can take an episode out of
what is held out, where it would no longer measure anything, but never moves one that was trained on into it.
"""

from collections.abc import Iterable

from clustering.counter_hash import unit_of
from schemas.cluster import Split
from schemas.recipe_dedup import SplitSpec

SAFEST = (Split.TRAIN, Split.VALIDATION, Split.TEST)


def own_side(episode_id: str, spec: SplitSpec) -> Split:
    """The side of an episode without copies. Raising one fraction only ever takes episodes from training."""
    place = unit_of("split", episode_id)
    if place < spec.validation_fraction:
        return Split.VALIDATION
    return Split.TEST if place >= 1.0 - spec.test_fraction else Split.TRAIN


def common_side(episode_ids: Iterable[str], spec: SplitSpec) -> Split:
    """The side of at least one episode that must stay together."""
    return min((own_side(episode_id, spec) for episode_id in episode_ids), key=SAFEST.index)
