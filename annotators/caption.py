"""Caption: words for every event of a tree, at all four levels.

Who writes them is a choice of the recipe (`schemas.recipe_caption`). Templates, filled from kinematics and the
instruction, need no model and never claim more than the signals show; they leave the tree as it is. A vision-language
model is asked through the protocol (docs/vlm.md) and may group and divide events anew, at the detector's cuts.
Templates word what it leaves out. What a person or the source has settled stays as it is, whoever writes.
"""

from collections.abc import Iterable, Sequence

from annotators.tracks.untouched import settled_touched, touched
from annotators.vlm.episode import Seen, asked_about
from annotators.vlm.prompt import prompts_digest
from annotators.words.captions import template_captions
from annotators.words.template import load_templates
from pipeline.aligned import aligned_actions
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.array import Ints
from schemas.episode import ActionKind, ActionTrack, Alignment, Episode
from schemas.event import Event
from schemas.filmstrip import Filmstrip, Thumbnail
from schemas.finding import Finding
from schemas.identity import digest
from schemas.recipe_caption import CaptionSpec, TemplateCaption, VlmCaption
from schemas.recipe_vlm import VlmSpec
from schemas.tree import violations

EPISODES_AT_ONCE = 16
"""Conversations of so many episodes are under way in one worker: servers answer many requests at a time."""


def caption(tree: Sequence[Event], episode: Episode, by: TemplateCaption) -> list[Event]:
    """The whole tree with captions, in the order it came; the events' ids, spans and verbs are unchanged."""
    return template_captions(tree, episode, load_templates(by.language), with_duration=by.with_duration)


def revision_of(spec: CaptionSpec) -> str:
    """Digest of the texts the captioner works from: change a template, and captions and what stands on them re-run."""
    templates = load_templates(spec.by.language).digest
    return templates if isinstance(spec.by, TemplateCaption) else digest(templates, prompts_digest())


def run(bundle: Bundle, spec: CaptionSpec) -> Iterable[object]:
    """The stage: the episode's tree, captioned. Raises ValueError if a captioner ever touched what is not its own."""
    tree, episode = bundle.all(Event), bundle.one(Episode)
    if isinstance(spec.by, TemplateCaption):
        worded = caption(tree, episode, spec.by)
        _refuse(bundle, touched(tree, worded))
        return worded
    if not tree:
        return []
    worded = caption(tree, episode, TemplateCaption(language=spec.by.language))
    alignment = bundle.one(Alignment)
    seen = Seen(episode, _times(bundle, alignment), bundle.all(Filmstrip), bundle.all(Thumbnail))
    events, findings = asked_about(worded, seen, spec.by, bundle.asker)
    kept = sorted((e.span.frame_start, e.span.frame_end) for e in tree if not e.parent_id)
    _refuse(bundle, settled_touched(tree, events))
    _refuse(bundle, violations(events, episode.master.clock, kept, episode.action_kind))
    return [*events, *findings]


def _times(bundle: Bundle, alignment: Alignment) -> Ints | None:
    """The rows' times on the video clock, as the tree's spans count them."""
    actions = bundle.optional(ActionTrack)
    if actions is None or bundle.one(Episode).action_kind is ActionKind.NONE:
        return None
    aligned = aligned_actions(actions, alignment)
    return None if aligned is None else aligned.times_ns


def _refuse(bundle: Bundle, wrong: Sequence[str]) -> None:
    if wrong:
        raise ValueError(f"{bundle.item}: captioning broke {len(wrong)} events, first: {wrong[0]}")


def _model_of(spec: CaptionSpec) -> VlmSpec | None:
    return spec.by if isinstance(spec.by, VlmCaption) else None


def _asks_a_model(spec: CaptionSpec) -> bool:
    return isinstance(spec.by, VlmCaption)


STAGE = Stage(
    name="caption",
    version=4,
    scope=Scope.EPISODE,
    reads=(
        Read(Event, "segment"),
        Read(Episode, "ingest"),
        Read(ActionTrack, "ingest", wanted=_asks_a_model),
        Read(Filmstrip, "ingest", wanted=_asks_a_model),
        Read(Thumbnail, "ingest", wanted=_asks_a_model),
        Read(Alignment, "align", wanted=_asks_a_model),
    ),
    writes=(Event, Finding),
    recipe_slice=lambda recipe: recipe.caption,
    run=run,
    revision=revision_of,
    asks=_model_of,
    at_once=lambda spec: EPISODES_AT_ONCE if _asks_a_model(spec) else 1,
)
