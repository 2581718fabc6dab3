"""The dedup stage: which events are copies, and which side their episodes are on."""

from clustering.dedup import STAGE, DedupSlice
from clustering.sides import own_side
from pipeline.stage import Bundle
from schemas.arrow import from_table, to_table
from schemas.cluster import Assignment, Membership
from schemas.recipe_dedup import DedupSpec, SplitSpec
from tests.clustering.made import assignment

SPEC = DedupSlice(dedup=DedupSpec(), split=SplitSpec(validation_fraction=0.4, test_fraction=0.2))


def test_every_event_is_on_the_side_of_its_episode() -> None:
    items = [assignment(f"ev-{i:02}", of=f"ep-{i // 3}", tail=i == 3, recovery=i == 4) for i in range(30)]
    found = list(STAGE.run(Bundle("corpus", streams={Assignment: lambda: iter([items[:7], items[7:]])}), SPEC))
    assert [item.event_id for item in found] == [item.event_id for item in items]
    assert all(item.split is own_side(item.episode_id, SPEC.split) for item in found)
    assert len({item.split for item in found}) == 3
    assert [item.event_id for item in found if item.tail] == ["ev-03"]
    assert [item.event_id for item in found if item.recovery] == ["ev-04"]
    assert from_table(Membership, to_table(Membership, found)) == found
