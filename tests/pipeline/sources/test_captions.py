"""What is said when, said once."""

from pipeline.sources.captions import Said, speech_of
from pipeline.sources.storage.subtitles import Cue, parse

MS = 1_000_000
ROLLING = b"""WEBVTT
Kind: captions
Language: en

00:00:00.160 --> 00:00:02.149 align:start position:0%
~
now<00:00:00.480><c> pick</c><00:00:00.900><c> it</c>

00:00:02.149 --> 00:00:02.159 align:start position:0%
now pick it
~

00:00:02.159 --> 00:00:04.000 align:start position:0%
now pick it
up<00:00:02.500><c> slowly</c>

00:00:04.000 --> 00:00:04.010 align:start position:0%
up slowly
~

00:00:04.010 --> 00:00:06.000 align:start position:0%
up slowly
and<00:00:05.000><c> turn</c>
""".replace(b"~", b" ")
"""YouTube's: a line with one space keeps the place of the other."""


def cue(start_ms: int, end_ms: int, *lines: str) -> Cue:
    return Cue(start_ms * MS, end_ms * MS, lines, 1)


def test_lines_that_roll_are_said_once_and_at_their_own_time() -> None:
    speech = speech_of(parse(ROLLING, is_webvtt=True).cues)
    assert speech.said == (
        Said(160 * MS, 2159 * MS, "now pick it"),
        Said(2159 * MS, 4010 * MS, "up slowly"),
        Said(4010 * MS, 6000 * MS, "and turn"),
    )
    assert speech.repeated == 4


def test_people_may_say_the_same_twice() -> None:
    cues = [cue(0, 1000, "no"), cue(1000, 2000, "no"), cue(2000, 3000, "I mean it")]
    assert [said.text for said in speech_of(cues).said] == ["no", "no", "I mean it"]


def test_lines_of_a_cue_are_one_text_and_music_signs_are_none() -> None:
    cues = [cue(0, 1000, "pick", "it up"), cue(1500, 2000, "♪♪")]
    assert speech_of(cues).said == (Said(0, 1000 * MS, "pick it up"),)


def test_a_line_repeated_after_a_pause_was_said_again() -> None:
    rolling = [cue(i * 1000, i * 1000 + 1000, f"line {i}", f"line {i + 1}") for i in range(4)]
    speech = speech_of([*rolling, cue(9000, 10_000, "line 4")])
    assert [said.text for said in speech.said] == ["line 0 line 1", "line 2", "line 3", "line 4", "line 4"]


def test_no_cues_say_nothing() -> None:
    assert speech_of([]).said == ()


def test_cues_of_a_million_lines_are_compared_as_far_as_a_screen_goes() -> None:
    lines = tuple("ab"[i % 2] for i in range(300_000))
    assert len(speech_of([cue(0, 1000, *lines), cue(1000, 2000, *lines[1:])]).said) == 2
