"""The side of an episode: shares, what raising a fraction does, and what company does."""

from hypothesis import given
from hypothesis import strategies as st

from clustering.sides import SAFEST, common_side, own_side
from schemas.cluster import Split
from schemas.recipe_dedup import SplitSpec

EPISODES = [f"ep-{i}" for i in range(3000)]
SPEC = SplitSpec(validation_fraction=0.3, test_fraction=0.2)


def held_out(split: Split, validation: float, test: float) -> set[str]:
    spec = SplitSpec(validation_fraction=validation, test_fraction=test)
    return {episode for episode in EPISODES if own_side(episode, spec) is split}


def test_every_side_has_the_share_asked_for() -> None:
    for split, share in ((Split.TRAIN, 0.7), (Split.VALIDATION, 0.1), (Split.TEST, 0.2)):
        assert abs(len(held_out(split, 0.1, 0.2)) / len(EPISODES) - share) < 0.02
    assert len(held_out(Split.TRAIN, 0.0, 0.0)) == len(EPISODES)


def test_a_larger_share_only_takes_episodes_from_training() -> None:
    assert held_out(Split.VALIDATION, 0.1, 0.2) < held_out(Split.VALIDATION, 0.2, 0.2)
    assert held_out(Split.TEST, 0.1, 0.2) < held_out(Split.TEST, 0.1, 0.3)
    assert held_out(Split.TEST, 0.1, 0.2) == held_out(Split.TEST, 0.3, 0.2)


@given(st.lists(st.sampled_from(EPISODES), min_size=1, max_size=5), st.sampled_from(EPISODES))
def test_company_never_moves_an_episode_away_from_training(group: list[str], newcomer: str) -> None:
    before, after = common_side(group, SPEC), common_side([*group, newcomer], SPEC)
    assert SAFEST.index(after) <= SAFEST.index(before)
    assert after in (before, own_side(newcomer, SPEC))
    assert common_side([newcomer], SPEC) is own_side(newcomer, SPEC)
