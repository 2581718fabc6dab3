"""How a load plan is made: the recipe's section on draws, windows, tokens, packs and ranks (loader.md, Plan semantics).

A load plan is compiled beside a run, from a published shard set: no stage reads this section, and changing it re-runs
nothing. The token law is what the trainer counts (`trainer.example`, `trainer.batch`), with its sizes as keys; the
defaults are those of its configuration `tiny`.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.recipe_section import Count, Fraction, Section, impossible
from schemas.time import MIN_EVENT_FRAMES

NotNegative = Annotated[float, Field(ge=0.0)]
Caption = Literal["own", "task", "subtask", "action", "segment"]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class LoadSpec(Section):
    """Draws → windows → tokens → packs → steps → ranks."""

    order: Literal["strict", "two_stage", "stride"] = Field(
        default="strict",
        description="Which cell draw t takes. At any prefix strict keeps cells within 1 draw of their shares, "
        "two_stage vision-language clusters within 1 and cells within 2, stride cells within 2.",
    )
    seed: Seed = Field(default=0, description="Another seed: other orders inside cells, other windows.")
    cells: Literal["planned", "natural"] = Field(
        default="planned", description="Shares of cells: the sampling plan's, or as events occur."
    )
    recovery_share: Fraction | None = Field(
        default=None, description="Share of draws that are recoveries; inside both halves cells keep their proportions."
    )
    event_share: Fraction = Field(default=0.5, description="Share of draws that show the whole event.")
    suffix_share: Fraction = Field(default=0.5, description="Share that start anywhere and end with the event.")
    chunk_share: Fraction = Field(default=0.0, description="Share that show chunk_frames somewhere inside.")
    chunk_frames: Count = Field(default=33, description="Frames of a chunk; shorter events are shown whole.")
    chunk_over: Literal["event", "episode"] = Field(
        default="event", description="Where a chunk ends: with its event, or where the recording does."
    )
    jitter_frames: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Every boundary between two events is moved by up to so many frames, either way."
    )
    caption: Caption = Field(
        default="own",
        description="A window's words: of the event that has most of it, among the shards' own or at a level.",
    )
    min_frames: Annotated[int, Field(ge=MIN_EVENT_FRAMES)] = Field(
        default=MIN_EVENT_FRAMES, description="No suffix is shorter."
    )
    max_frames: Count = Field(default=33, description="Frames a window is seen at; longer ones at a lower rate.")
    frames_per_latent: Count = Field(default=4, description="The video encoder's stride in time.")
    tokens_per_latent: Count = Field(default=4, description="Tokens of one latent frame of one view.")
    max_views: Count = Field(default=2, description="Views of an event that are used.")
    max_actions: Annotated[int, Field(ge=0)] = Field(default=32, description="Action tokens of a window at most.")
    budget: Count = Field(default=768, description="Tokens of a pack.")
    pack_window: Count = Field(default=64, description="Draws a pack chooses among; 1 keeps the order to the letter.")
    packs_per_step: Count = Field(default=8, description="Packs of one optimiser step, over all ranks together.")
    cost_linear: NotNegative = Field(default=1.0, description="Modelled cost of a pack per token …")
    cost_quadratic: NotNegative = Field(
        default=1e-4, description="… and per squared tokens of each of its windows: attention. Wan 1.3B: 1/(6·1536)."
    )

    @model_validator(mode="after")
    def _holds_together(self) -> "LoadSpec":
        total = self.event_share + self.suffix_share + self.chunk_share
        if abs(total - 1.0) > 1e-9:
            raise impossible("event_share", f"the three shares add up to {total:g}, expected 1")
        if self.chunk_frames < self.min_frames:
            raise impossible(
                "chunk_frames", f"found {self.chunk_frames}, expected min_frames ({self.min_frames}) or more"
            )
        if self.most_tokens > self.budget:
            found = f"the longest window has {self.most_tokens} tokens, the budget is {self.budget}"
            raise impossible("budget", f"{found}; raise it, or lower max_frames, max_views or max_actions")
        if self.cost_linear + self.cost_quadratic == 0:
            raise impossible("cost_linear", "both costs are 0: nothing would be balanced between ranks; raise one")
        return self

    @property
    def reaches(self) -> bool:
        """Whether windows may reach over the edges of their event."""
        return self.jitter_frames > 0 or (self.chunk_over == "episode" and self.chunk_share > 0)

    @property
    def of_corpus(self) -> tuple[object, ...]:
        """What the shares of cells and the edges of events depend on."""
        jitter = (self.jitter_frames, self.seed) if self.jitter_frames else None
        return self.cells, self.recovery_share, self.reaches, jitter

    @property
    def most_tokens(self) -> int:
        """Tokens of the longest window there can be (docs/load_plan.md, Tokens)."""
        latents = 1 + (self.max_frames - 1) // self.frames_per_latent
        return self.max_views * latents * self.tokens_per_latent + 1 + self.max_actions
