"""Stage ``dedup``: the side of every event, and which events are copies of others (clustering.md, Dedup)."""

from collections.abc import Iterable, Iterator
from functools import cache

from clustering.sides import own_side
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.cluster import Assignment, Membership
from schemas.recipe import Recipe
from schemas.recipe_dedup import DedupSpec, SplitSpec
from schemas.recipe_section import Section


class DedupSlice(Section):
    """What of the recipe memberships depend on."""

    dedup: DedupSpec
    split: SplitSpec


def memberships(batches: Iterable[list[Assignment]], spec: DedupSlice) -> Iterator[Membership]:
    """One membership per assignment, in the order they come."""
    side = cache(lambda episode_id: own_side(episode_id, spec.split))
    for batch in batches:
        for item in batch:
            yield Membership(
                event_id=item.event_id,
                episode_id=item.episode_id,
                source=item.source,
                dataset=item.dataset,
                level=item.level,
                vision_language=item.vision_language,
                action=item.action,
                tail=item.tail,
                recovery=item.recovery,
                split=side(item.episode_id),
                duplicate_group="",
                duplicate_of="",
                n_frames=item.n_frames,
                duration_s=item.duration_s,
            )


def run(bundle: Bundle, spec: DedupSlice) -> Iterable[object]:
    """The memberships of the corpus; lazily, because there may be millions."""
    return memberships(bundle.stream(Assignment), spec)


def _slice(recipe: Recipe) -> DedupSlice:
    return DedupSlice(dedup=recipe.dedup, split=recipe.split)


STAGE = Stage(
    name="dedup",
    version=1,
    scope=Scope.CORPUS,
    reads=(Read(Assignment, "assign"),),
    writes=(Membership,),
    recipe_slice=_slice,
    run=run,
)
