"""One episode and its model: windows, pictures, conversations, and the tree that comes of them.

Nothing here decides what an event is called; it brings together what does. Windows whose answers failed their checks
keep the detector's events, worded by templates, and are told in a finding: an answer that nobody could use must not
look like one that was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from annotators.visual.signals import visual_signals
from annotators.vlm.budget import ImageRule
from annotators.vlm.canary import canary_talk, draw_canary, rides_along
from annotators.vlm.conversation import Pictures, Rejected, Verdict, conversation, converse, terms
from annotators.vlm.prompt import load_prompt
from annotators.vlm.rephrase import rephrase_talk
from annotators.vlm.request import Asker, Call
from annotators.vlm.whole import whole_tree
from annotators.vlm.window import Window, windows_of
from pipeline.errors import SourceError
from schemas.array import Ints
from schemas.episode import Camera, Episode
from schemas.event import Event
from schemas.filmstrip import Filmstrip, Thumbnail
from schemas.finding import Finding
from schemas.finding import Verdict as Keeping
from schemas.recipe_caption import VlmCaption

STAGE = "caption"


@dataclass(frozen=True, eq=False)
class Seen:
    """What there is of an episode to show and to check answers by."""

    episode: Episode
    action_times_ns: Ints | None
    """On the video clock; None for an episode without actions."""
    strips: Sequence[Filmstrip]
    thumbnails: Sequence[Thumbnail]


def asked_about(tree: Sequence[Event], seen: Seen, by: VlmCaption, asker: Asker) -> tuple[list[Event], list[Finding]]:
    """The tree as the model groups and words it, and a finding for each window it could not be asked about.

    ``tree`` is worded already, so that what the model leaves alone has words. Raises SourceError where the recipe wants
    such episodes in quarantine, CanaryError when the model does not see, and what the asker raises.
    """
    windows = windows_of(tree, seen.episode, seen.action_times_ns, longest_s=by.window_s)
    verdicts = _verdicts(windows, seen, by, asker)
    findings = [_finding(seen.episode, window, verdicts[window.window_id]) for window in windows]
    told = [finding for finding in findings if finding is not None]
    if told and by.on_rejected == "quarantine":
        raise SourceError(f"{seen.episode.locator}: {told[0].message}; caption.by.on_rejected: keep lets it pass")
    revised = whole_tree(tree, windows, verdicts)
    return _rephrased(revised, seen.episode, by, asker), told


def _verdicts(windows: Sequence[Window], seen: Seen, by: VlmCaption, asker: Asker) -> dict[str, Verdict]:
    how = terms(by.identity, ImageRule(square_px=by.token_px), by.tokens_per_minute)
    pictures = _Pictures(seen)
    talks = {window.window_id: conversation(window, pictures.of(window), how) for window in windows}
    canaries = {
        f"canary {window.window_id}": canary_talk(
            draw_canary(window.window_id), model=by.identity, prompt=load_prompt(Call.CANARY)
        )
        for window in windows
        if rides_along(window.window_id, by.canary_one_in)
    }
    found = converse({**talks, **canaries}, asker)
    return {name: verdict for name in talks if (verdict := found[name]) is not None}


class _Pictures:
    """The views of an episode, cut to windows."""

    def __init__(self, seen: Seen) -> None:
        master = seen.episode.master
        others = [camera for camera in seen.episode.cameras if camera.name != master.name]
        self._master = _of_view(seen.thumbnails, master)
        self._other = _of_view(seen.thumbnails, others[0]) if others else []
        strip = next((strip for strip in seen.strips if strip.camera == master.name), None)
        self._score = None if strip is None else visual_signals(strip, master.clock).score

    def of(self, window: Window) -> Pictures:
        return Pictures(_within(self._master, window), _within(self._other, window), self._score)


def _of_view(thumbnails: Sequence[Thumbnail], camera: Camera) -> list[Thumbnail]:
    return sorted((t for t in thumbnails if t.camera == camera.name), key=lambda t: t.t_ns)


def _within(thumbnails: Sequence[Thumbnail], window: Window) -> tuple[Thumbnail, ...]:
    """Pictures of the kept stretches alone: a model must not describe what was cleaned away."""
    return tuple(t for t in thumbnails if any(a.t_ns <= t.t_ns < b.t_ns for a, b in window.ranges))


def _finding(episode: Episode, window: Window, verdict: Verdict) -> Finding | None:
    if not isinstance(verdict, Rejected):
        return None
    return Finding(
        subject=episode.episode_id,
        source=episode.source,
        stage=STAGE,
        check="model_answer_unusable",
        verdict=Keeping.KEEP,
        message=f"the detector's events stay, worded by templates, since the model's answer was not usable: "
        f"{'; '.join(verdict.reasons)}",
        start_ns=window.start_ns,
        end_ns=window.end_ns,
    )


def _rephrased(tree: list[Event], episode: Episode, by: VlmCaption, asker: Asker) -> list[Event]:
    """With other wordings of all captions, if the recipe asks for them; one language after the other."""
    if not by.rephrasings:
        return tree
    for language in by.languages:
        talk = rephrase_talk(
            episode.episode_id,
            tree,
            language=language,
            count=by.rephrasings,
            model=by.identity,
            prompt=load_prompt(Call.REPHRASE),
        )
        tree = converse({language: talk}, asker)[language]
    return tree
