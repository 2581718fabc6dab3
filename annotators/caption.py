"""Caption: words for every event of a tree, at all four levels.

Who writes them is a choice of the recipe (`schemas.recipe.CaptionSpec.by`); today it is templates filled from
kinematics and the instruction, which need no model and never claim more than the signals show. The tree keeps its
ids: captions do not change who an event is. What a person or the source has already worded stays as it is.
"""

from collections.abc import Sequence

from annotators.tracks.untouched import touched
from annotators.words.captions import template_captions
from annotators.words.template import load_templates
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.episode import Episode
from schemas.event import Event
from schemas.recipe import CaptionSpec, TemplateCaption


def caption(tree: Sequence[Event], episode: Episode, spec: CaptionSpec) -> list[Event]:
    """The whole tree with captions, in the order it came; the events' ids, spans and verbs are unchanged."""
    match spec.by:
        case TemplateCaption() as by:
            return template_captions(tree, episode, load_templates(by.language), with_duration=by.with_duration)


def revision_of(spec: CaptionSpec) -> str:
    """Digest of the texts the captioner works from: change a template, and captions and what stands on them re-run."""
    match spec.by:
        case TemplateCaption() as by:
            return load_templates(by.language).digest


def run(bundle: Bundle, spec: CaptionSpec) -> list[Event]:
    """The stage: the episode's tree, captioned. Raises ValueError if a captioner ever touched what is not its own."""
    tree = bundle.all(Event)
    worded = caption(tree, bundle.one(Episode), spec)
    wrong = touched(tree, worded)
    if wrong:
        raise ValueError(f"{bundle.item}: captioning changed {len(wrong)} events, first: {wrong[0]}")
    return worded


STAGE = Stage(
    name="caption",
    version=2,
    scope=Scope.EPISODE,
    reads=(Read(Event, "segment"), Read(Episode, "ingest")),
    writes=(Event,),
    recipe_slice=lambda recipe: recipe.caption,
    run=run,
    revision=revision_of,
)
