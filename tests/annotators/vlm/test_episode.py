"""An episode and its model: what it says is used, what it cannot say is worded by templates, and blindness ends all."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from annotators.caption import STAGE
from annotators.vlm.canary import CanaryError, draw_canary
from annotators.vlm.episode import Seen, asked_about
from annotators.vlm.request import Answer, Asker, Call, Refusal, Request, Stop
from annotators.words.captions import template_captions
from annotators.words.template import load_templates
from pipeline.errors import SourceError
from pipeline.stage import Bundle
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import ActionTrack, Alignment, Arm, Episode
from schemas.event import Event, Level, Provenance
from schemas.filmstrip import Filmstrip, Thumbnail
from schemas.finding import Finding
from schemas.recipe_caption import CaptionSpec, VlmCaption
from tests.annotators.recordings import all_kept
from tests.annotators.vlm.oracle import Oracle, Scene, by_window, recording_of, scenes_of, thumbnails

BY = VlmCaption(method="vlm", model="oracle", revision="1", canary_one_in=0)
TRAJECTORY = make_trajectory(3, {Arm.RIGHT: (Variant.PLAIN, Variant.SLIP)}, rate_hz=20)
RECORDING = recording_of(TRAJECTORY, 3)
PICTURES = thumbnails(TRAJECTORY.end_ns, 20)
SCENES = scenes_of(TRAJECTORY, RECORDING, 20)
EPISODE = RECORDING.episode


def seen() -> Seen:
    return Seen(EPISODE, RECORDING.actions.times_ns, (), PICTURES)


def worded() -> list[Event]:
    return template_captions(RECORDING.tree(), EPISODE, load_templates("en"), with_duration=False)


@dataclass
class Eyes:
    """Answers canaries and rephrasings too; what it is told to say to each call comes first."""

    scenes: Sequence[Scene]
    instead: dict[Call, str] = field(default_factory=dict)
    asked: list[Call] = field(default_factory=list)

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer | Refusal]:
        oracle = Oracle(by_window(*self.scenes))
        for request in requests:
            self.asked.append(request.call)
            if request.call in self.instead:
                yield Answer(request.key, self.instead[request.call], Stop.DONE, 1, 1, cached=False)
            elif request.call is Call.CANARY:
                truth = draw_canary(request.subject).truth
                tiles = [{"id": f"T{n}", "colour": c, "discs": k} for n, (c, k) in enumerate(truth, start=1)]
                yield Answer(request.key, json.dumps({"tiles": tiles}), Stop.DONE, 1, 1, cached=False)
            elif request.call is Call.REPHRASE:
                lines = [line for line in request.text.splitlines() if line[:1].isdigit()]
                said = [{"n": n, "texts": [f"Kindly {_lower(line)}"]} for n, line in enumerate(lines, start=1)]
                yield Answer(request.key, json.dumps({"sentences": said}), Stop.DONE, 1, 1, cached=False)
            else:
                yield from oracle.ask([request])


def _lower(line: str) -> str:
    text = line.partition(". ")[2]
    return text[:1].lower() + text[1:]


def ask(asker: Asker, by: VlmCaption = BY, tree: Sequence[Event] | None = None) -> tuple[list[Event], list[Finding]]:
    return asked_about(worded() if tree is None else tree, seen(), by, asker)


def test_what_the_model_says_is_used_and_nothing_is_without_words() -> None:
    events, findings = ask(Eyes(SCENES))
    assert findings == []
    assert all(event.caption for event in events)
    authors = {event.caption_by.proposer for event in events if event.level is Level.ACTION and event.caption_by}
    assert authors == {"vlm"}


def test_an_answer_that_cannot_be_used_is_a_finding_and_costs_no_event() -> None:
    before = worded()
    events, (finding,) = ask(Eyes(SCENES, {Call.TREE: "{}"}))
    assert [(event.event_id, event.caption) for event in events] == [(e.event_id, e.caption) for e in before]
    assert finding.check == "model_answer_unusable"
    assert (finding.start_ns, finding.end_ns) == (SCENES[0].window.start_ns, SCENES[0].window.end_ns)


def test_the_recipe_may_want_it_in_quarantine_instead() -> None:
    with pytest.raises(SourceError, match="on_rejected"):
        ask(Eyes(SCENES, {Call.TREE: "{}"}), BY.model_copy(update={"on_rejected": "quarantine"}))


def test_a_model_that_does_not_see_ends_the_run() -> None:
    always = BY.model_copy(update={"canary_one_in": 1})
    fine, blind = Eyes(SCENES), Eyes(SCENES, {Call.CANARY: json.dumps({"tiles": []})})
    ask(fine, always)
    assert fine.asked.count(Call.CANARY) == len(SCENES)
    with pytest.raises(CanaryError):
        ask(blind, always)


def test_other_wordings_come_with_their_language() -> None:
    events, _ = ask(Eyes(SCENES), BY.model_copy(update={"rephrasings": 1, "languages": ["en", "de"]}))
    languages = {other.language for event in events for other in event.rephrasings}
    assert "de" in languages
    assert all(other.text.startswith("Kindly") for event in events for other in event.rephrasings)


def test_what_a_person_has_worded_stays_as_it_is() -> None:
    tree = worded()
    mine = next(event for event in tree if event.level is Level.ACTION)
    settled = replace(mine, caption="Reach like I say", caption_by=Provenance("human"))
    events, _ = ask(Eyes(SCENES), tree=[settled if event is mine else event for event in tree])
    assert settled.caption in {event.caption for event in events if event.event_id == mine.event_id}


def test_the_stage_hands_the_model_everything_it_needs() -> None:
    records = {
        Event: RECORDING.tree(), Episode: [EPISODE], ActionTrack: [RECORDING.actions], Filmstrip: [],
        Thumbnail: PICTURES, Alignment: [all_kept(EPISODE)],
    }  # fmt: skip
    bundle = Bundle(item="ep-3", records=records, asker=Eyes(SCENES))
    events = list(STAGE.run(bundle, CaptionSpec(by=BY)))
    assert events == ask(Eyes(SCENES))[0]
