"""Cleaning: what the source itself says should not be used."""

import dataclasses

from pipeline.clean import clean
from pipeline.clean_annotations import check_annotations
from schemas.episode import Episode, KeptRange, SourceSpan, SpanMeaning
from schemas.finding import Verdict
from schemas.recipe import AlignSpec
from schemas.time import NS_PER_S
from tests.pipeline.made_up import make_camera, make_episode, make_strip

CAMERA = make_camera()


def said(*spans: tuple[float, float, SpanMeaning]) -> Episode:
    annotations = tuple(
        SourceSpan("movement_enabled", round(start * NS_PER_S), round(end * NS_PER_S), "false", meaning)
        for start, end, meaning in spans
    )
    return dataclasses.replace(make_episode(CAMERA), annotations=annotations)


def test_an_operators_pause_is_trimmed_and_the_rest_is_kept() -> None:
    episode = said((4.0, 6.0, SpanMeaning.PAUSE))
    kept, (finding,) = clean(episode, None, [make_strip(CAMERA)], [], AlignSpec())
    assert kept == (KeptRange(0, 4 * NS_PER_S), KeptRange(6 * NS_PER_S, CAMERA.end_ns))
    assert (finding.check, finding.verdict, finding.value) == ("operator_pause", Verdict.TRIM, 2.0)
    assert "movement_enabled" in finding.message


def test_a_stretch_declared_invalid_is_trimmed() -> None:
    (finding,) = check_annotations(said((1.0, 2.0, SpanMeaning.INVALID)))
    assert (finding.check, finding.start_ns, finding.end_ns) == ("declared_invalid", NS_PER_S, 2 * NS_PER_S)


def test_overlapping_pauses_are_one() -> None:
    found = list(check_annotations(said((1.0, 3.0, SpanMeaning.PAUSE), (2.0, 5.0, SpanMeaning.PAUSE))))
    assert [(f.start_ns, f.end_ns) for f in found] == [(NS_PER_S, 5 * NS_PER_S)]


def test_a_pause_outside_the_film_trims_nothing() -> None:
    assert list(check_annotations(said((100.0, 101.0, SpanMeaning.PAUSE), (-3.0, -1.0, SpanMeaning.PAUSE)))) == []


def test_other_annotations_trim_nothing() -> None:
    spans = [(1.0, 2.0, meaning) for meaning in SpanMeaning if meaning not in (SpanMeaning.PAUSE, SpanMeaning.INVALID)]
    assert list(check_annotations(said(*spans))) == []
