"""The embed stage: which pictures and words of an event are seen, and what is not there."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from clustering.embed import STAGE, EmbedSlice, Looks, answers, embed, moments
from clustering.picture_descriptor import decode, describe
from pipeline.stage import Bundle
from schemas.calibration import Calibration
from schemas.cluster import Embedding, Space
from schemas.episode import ActionTrack, Alignment, Episode
from schemas.event import Event, Level, Verb
from schemas.filmstrip import Thumbnail
from schemas.recipe import DefaultEncoder, EmbedSpec, OpenClipEncoder, Recipe, WorkspaceSpec
from schemas.recipe_formats.lerobot import LeRobotSource
from schemas.recipe_section import section_digest
from schemas.source_card import SourceCard
from tests.clustering.made import alignment, arm, episode, event, thumbnail, track

PATH = np.linspace([0.3, 0, 0.2], [0.5, 0.1, 0.1], 40)
TEXT = 64
SPEC = EmbedSpec(vision_language=DefaultEncoder(text_dims=TEXT))
SLICE = EmbedSlice(embed=SPEC, level=Level.ACTION, encoder=SPEC.vision_language)


def embedded(
    events: list[Event], thumbnails: list[Thumbnail], actions: ActionTrack | None = None, of: Episode | None = None,
    offset_ns: int = 0,
) -> list[Embedding]:  # fmt: skip
    return embed(
        of or episode(), events, actions=actions, alignment=alignment(offset_ns=offset_ns), calibration=None,
        thumbnails=thumbnails, spec=SPEC, level=Level.ACTION,
    )  # fmt: skip


def pictures_of(embedding: Embedding) -> NDArray[np.float32]:
    return embedding.vector[TEXT:].reshape(3, -1)


def test_each_event_of_the_level_gets_one_vector_per_space() -> None:
    events = [event(20, 40, name="ev-b"), event(0, 20, name="ev-a"), event(0, 40, name="ev-t", level=Level.TASK)]
    found = embedded(events, [thumbnail(0), thumbnail(30)], track(arm(PATH)))
    assert [(item.event_id, item.space) for item in found] == [
        ("ev-a", Space.VISION_LANGUAGE), ("ev-b", Space.VISION_LANGUAGE),
        ("ev-a", Space.ACTION), ("ev-b", Space.ACTION),
    ]  # fmt: skip
    assert len({(item.model, len(item.vector)) for item in found if item.space is Space.VISION_LANGUAGE}) == 1


def test_text_and_pictures_have_unit_length_each() -> None:
    (found,) = embedded([event()], [thumbnail(0)])
    assert np.linalg.norm(found.vector[:TEXT]) == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(found.vector[TEXT:]) == pytest.approx(1, abs=1e-6)


def test_an_episode_without_actions_has_no_action_vectors_and_one_without_events_none_at_all() -> None:
    assert {item.space for item in embedded([event()], [thumbnail(0)])} == {Space.VISION_LANGUAGE}
    assert embedded([], [thumbnail(0)], track(arm(PATH))) == []
    assert embedded([event(level=Level.TASK)], [], track(arm(PATH))) == []


def test_what_is_not_there_is_zeros_of_the_same_length() -> None:
    (full,), (blind,) = embedded([event()], [thumbnail(0)]), embedded([event()], [])
    assert len(full.vector) == len(blind.vector)
    assert not blind.vector[TEXT:].any()
    (mute,) = embedded([event(caption="", verb=Verb.OTHER, objects=())], [thumbnail(0)])
    assert not mute.vector[:TEXT].any()


def test_the_first_middle_and_last_thumbnail_inside_the_event_are_seen() -> None:
    strip = [thumbnail(frame) for frame in (0, 5, 10, 15, 20, 25, 30, 35)]
    assert [t.frame for t in moments(event(10, 31).span, strip)] == [10, 20, 30]
    assert [t.frame for t in moments(event(11, 15).span, strip)] == [10, 15, 15]
    assert [t.frame for t in moments(event(4, 9).span, strip)] == [5, 5, 5]


def test_views_are_averaged() -> None:
    strips = [thumbnail(0, (250, 0, 0), "front"), thumbnail(0, (0, 0, 250), "wrist")]
    (found,) = embedded([event()], strips, of=episode(cameras=("front", "wrist")))
    mean = np.mean([describe(decode(t.jpeg)) for t in strips], axis=0)
    np.testing.assert_allclose(pictures_of(found)[0], mean / np.linalg.norm(mean) / np.sqrt(3), atol=1e-5)


def test_a_view_without_thumbnails_takes_no_part() -> None:
    two, one = (
        embedded([event()], [thumbnail(0)], of=episode(cameras=names)) for names in (("front", "gone"), ("front",))
    )
    np.testing.assert_array_equal(two[0].vector, one[0].vector)


def test_actions_are_read_on_the_video_clock() -> None:
    actions = track(arm(np.concatenate([np.zeros((20, 3)), PATH[::2]])))
    late = embedded([event(0, 40)], [], actions, offset_ns=1_000_000_000)[1]
    on_time = embedded([event(0, 40)], [], actions)[1]
    assert np.linalg.norm(late.vector - on_time.vector) > 0.5


def test_order_of_events_and_thumbnails_changes_nothing() -> None:
    events = [event(0, 20, name="ev-a"), event(20, 40, name="ev-b", caption="lift the cup")]
    strip = [thumbnail(frame, (frame * 5, 9, 9)) for frame in (0, 10, 20, 30)]
    for one, other in zip(embedded(events, strip), embedded(events[::-1], strip[::-1]), strict=True):
        assert one.event_id == other.event_id
        np.testing.assert_array_equal(one.vector, other.vector)


def test_the_stage_takes_its_inputs_from_the_bundle() -> None:
    records = {
        Episode: [episode()], Event: [event()], ActionTrack: [track(arm(PATH))], Alignment: [alignment()],
        Calibration: [], Thumbnail: [thumbnail(0)],
    }  # fmt: skip
    assert set(records) == {read.record for read in STAGE.reads}
    found = STAGE.run(Bundle("ep-1", records=records), SLICE)
    assert [item.space for item in found if isinstance(item, Embedding)] == [Space.VISION_LANGUAGE, Space.ACTION]


def recipe(**encoder: Any) -> Recipe:
    return Recipe(
        joinery=1,
        workspace=WorkspaceSpec(url="w"),
        sources=[LeRobotSource(format="lerobot", name="a", path="b", card=SourceCard(licence="CC0-1.0"))],
        embed=EmbedSpec(vision_language=OpenClipEncoder(encoder="open_clip", **encoder)),
    )


def slice_of(recipe: Recipe) -> EmbedSlice:
    found = STAGE.recipe_slice(recipe)
    assert isinstance(found, EmbedSlice)
    return found


def test_moving_a_checkpoint_or_pinning_it_changes_no_work_key_but_the_run_knows_the_place() -> None:
    here, there = slice_of(recipe(checkpoint="here/x.pt")), slice_of(recipe(checkpoint="there/x.pt", sha256="0" * 64))
    assert section_digest(here) == section_digest(there)
    assert isinstance(here.encoder, OpenClipEncoder)
    assert here.encoder.checkpoint == "here/x.pt"


@pytest.mark.parametrize("change", [{"device": "cuda"}, {"batch": 3}, {"dtype": "bfloat16"}, {"model": "RN50"}])
def test_whatever_changes_numbers_changes_the_work_key(change: dict[str, Any]) -> None:
    before, after = recipe(device="cpu"), recipe(**({"device": "cpu"} | change))
    assert section_digest(slice_of(before)) != section_digest(slice_of(after))


def test_auto_is_the_device_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for here, device in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr("clustering.device.cuda_is_here", lambda here=here: here)
        assert section_digest(slice_of(recipe())) == section_digest(slice_of(recipe(device=device)))
        assert STAGE.on_gpu(slice_of(recipe())) is here


class Counting:
    """An encoder that notes how many pictures it is shown at a time; its vectors are the pictures' sizes."""

    model, dims, n_at_once = "joinery-words-v1:1", 1, 4

    def __init__(self) -> None:
        self.shown: list[int] = []

    def prepared(self, jpeg: bytes) -> bytes:
        decode(jpeg)
        return jpeg

    def pictures(self, prepared: Sequence[bytes]) -> NDArray[np.float64]:
        self.shown.append(len(prepared))
        return np.array([[float(len(jpeg))] for jpeg in prepared]).reshape(-1, 1)

    def texts(self, events: Sequence[Event]) -> NDArray[np.float64]:
        return np.array([[float(len(event.caption))] for event in events])


def test_answers_come_back_to_the_event_that_asked_among_many() -> None:
    encoder = Counting()
    asked = [Looks(episode(), [event(name=f"ev-{i}", caption="x" * i)], [thumbnail(i)], encoder) for i in (1, 2, 3)]
    inputs = [each for looks in asked for each in looks.inputs]
    together = answers(encoder, inputs)
    assert encoder.shown == [3]
    for looks in asked:
        own, together = together[: len(looks.inputs)], together[len(looks.inputs) :]
        (found,), (alone,) = looks.embeddings(encoder, own), looks.embeddings(encoder, answers(encoder, looks.inputs))
        assert found.event_id == alone.event_id
        np.testing.assert_array_equal(found.vector, alone.vector)
