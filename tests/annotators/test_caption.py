"""The caption stage's contract."""

from pathlib import Path

from annotators.caption import STAGE, caption, revision_of
from annotators.words.template import load_templates
from pipeline.stage import Bundle
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import ActionKind, Arm, Episode
from schemas.event import Event, Level
from schemas.identity import digest
from schemas.recipe_caption import CaptionSpec, TemplateCaption
from schemas.tree import violations
from tests.annotators.recordings import simulated, synthetic

SPEC = CaptionSpec()
TEMPLATES = TemplateCaption()


def test_the_whole_tree_comes_back_captioned_and_still_valid() -> None:
    recording = synthetic(make_trajectory(1, {Arm.RIGHT: (Variant.SLIP,)}))
    tree = recording.tree()
    bundle = Bundle(item="ep-test", records={Event: tree, Episode: [recording.episode]})
    events = [event for event in STAGE.run(bundle, SPEC) if isinstance(event, Event)]
    assert [event.event_id for event in events] == [event.event_id for event in tree]
    assert all(event.caption for event in events)
    clock = recording.episode.master.clock
    assert violations(events, clock, [(0, len(clock))], ActionKind.MEASURED) == []


def test_no_events_no_captions() -> None:
    recording = synthetic(make_trajectory(1, {Arm.RIGHT: (Variant.PLAIN,)}))
    assert caption([], recording.episode, TEMPLATES) == []


def test_the_revision_is_the_digest_of_the_template_file() -> None:
    file = Path(__file__).parents[2] / "annotators" / "words" / "templates" / "en.txt"
    assert STAGE.revision(SPEC) == digest(file.read_text(encoding="utf-8"))
    assert revision_of(SPEC) == load_templates("en").digest


def test_every_caption_carries_the_hash_of_its_wording() -> None:
    recording = synthetic(make_trajectory(1, {Arm.RIGHT: (Variant.PLAIN,)}))
    for event in caption(recording.tree(), recording.episode, TEMPLATES):
        assert event.caption_by is not None
        assert (event.caption_by.proposer, event.caption_by.prompt_hash) == ("template", revision_of(SPEC))


def test_the_recipe_can_ask_for_durations() -> None:
    recording = synthetic(make_trajectory(1, {Arm.RIGHT: (Variant.PLAIN,)}))
    events = caption(recording.tree(), recording.episode, TemplateCaption(with_duration=True))
    assert all(", taking " in event.caption for event in events if event.level is Level.ACTION)


def test_captions_do_not_depend_on_the_order_of_the_records() -> None:
    recording = synthetic(make_trajectory(1, {Arm.RIGHT: (Variant.SLIP,), Arm.LEFT: (Variant.PLAIN,)}))
    tree = recording.tree()
    forward = {event.event_id: event for event in caption(tree, recording.episode, TEMPLATES)}
    backward = {event.event_id: event for event in caption(tree[::-1], recording.episode, TEMPLATES)}
    assert forward == backward


def test_a_real_episode_reads_as_what_happened(real: Path) -> None:
    recording = simulated(real / "sim", "robosuite_pickplacecan_seed1_recover")
    events = caption(recording.tree(), recording.episode, TEMPLATES)
    assert [event.caption for event in events if event.level is Level.SUBTASK] == [
        "Pick up the can",
        "Carry the can but drop it",
        "Pick up the can again after dropping it",
        "Place the can in the bin",
    ]
