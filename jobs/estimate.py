"""What a run will ask of its model: calls and tokens, from how much video is kept (`annotators.vlm.budget`).

Known once episodes are aligned; those that are not yet count as the mean of those that are. How much happens in a
minute is a guess. Questions whose answers are kept from earlier runs cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from annotators import caption
from annotators.vlm.budget import Cost, Density, ImageRule, canary_cost, episode_cost, rephrase_cost
from jobs.river import RIVER
from pipeline import align
from pipeline.ledger import Ledger
from pipeline.stage import Scope
from schemas.episode import Alignment
from schemas.recipe import Recipe
from schemas.recipe_caption import VlmCaption

ASPECT = 16 / 9
"""Of pictures that were not looked at; square ones cost a third more."""


@dataclass(frozen=True)
class ModelEstimate:
    """What captions by a model will cost."""

    model: str
    episodes: int
    """Still to be asked about."""
    measured: int
    """Episodes whose kept length is known."""
    video_hours: float
    """Of those still to be asked about; 0 while no length is known."""
    calls: int
    prompt_tokens: int
    completion_tokens: int


def model_estimate(ledger: Ledger, recipe: Recipe) -> ModelEstimate | None:
    """The estimate; None when the recipe asks no model. The ledger has been refreshed."""
    by = recipe.caption.by
    if not isinstance(by, VlmCaption):
        return None
    state = ledger.state(caption.STAGE.name)
    to_do = max(0, state.left + state.waiting - _stopped_before(ledger))
    seconds = [alignment.kept_s for alignment in ledger.present(Alignment, align.STAGE.name)]
    rule = ImageRule(square_px=by.token_px)
    total = Cost()
    for kept_s in seconds:
        total += episode_cost(kept_s, ASPECT, rule, longest_s=by.window_s, tokens_per_minute=by.tokens_per_minute)
        total += canary_cost(kept_s, rule, longest_s=by.window_s, one_in=by.canary_one_in)
        if kept_s > 0:
            total += rephrase_cost(kept_s, Density(), count=by.rephrasings, languages=len(by.languages))
    share = to_do / len(seconds) if seconds else 0.0
    return ModelEstimate(
        model=by.identity,
        episodes=to_do,
        measured=len(seconds),
        video_hours=sum(seconds) * share / 3600,
        calls=round(total.calls * share),
        prompt_tokens=round(total.prompt_tokens * share),
        completion_tokens=round(total.completion_tokens * share),
    )


def _stopped_before(ledger: Ledger) -> int:
    """Episodes that wait for captions in vain: a stage before is done with them, badly."""
    names = [stage.name for stage in RIVER if stage.scope is Scope.EPISODE]
    return sum(ledger.state(name).quarantined for name in names[: names.index(caption.STAGE.name)])
