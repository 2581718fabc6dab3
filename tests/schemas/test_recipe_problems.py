"""Each kind of wrong key or value is one line: where, which key, found, expected, what to do."""

from pathlib import Path
from typing import get_args

import pytest

from schemas.recipe_sources import SourceSpec
from tests.schemas.recipe_example import GOOD, edited, problems

_NAMES = sorted(get_args(member.model_fields["format"].annotation)[0] for member in get_args(get_args(SourceSpec)[0]))
FORMATS = ", ".join(map(repr, _NAMES[:-1])) + f" or {_NAMES[-1]!r}"

LINES = [
    pytest.param(
        ("    path: recordings/web", "    pth: recordings/web"),
        "demo.yaml:11: sources[1].pth: unknown key; did you mean 'path'?",
        id="unknown key, close to a known one",
    ),
    pytest.param(
        ("alpha: 1", "zzz: 1"),
        "demo.yaml:14: balance.zzz: unknown key; expected 'level', 'method', 'alpha', 'beta', 'gamma', 'floor',"
        " 'repeat_cap', 'unit', 'token_max_frames', 'token_frames', 'targets', 'sources', 'recovery',"
        " 'curriculum_steps', 'epoch_draws' or 'seed'",
        id="unknown key, close to none",
    ),
    pytest.param(
        ("  executor: inline", "  executor: inline\n  executor: ray"),
        "demo.yaml:17: run.executor: given twice, first on line 16; keep one",
        id="key given twice",
    ),
    pytest.param(
        ("    card: {licence: MIT}\n", ""),
        "demo.yaml:5: sources[0].card: missing; add a section with the keys licence, redistribution, consent, "
        "personal_data, personal_data_method, contact, title, homepage, citation",
        id="missing key",
    ),
    pytest.param(
        ("joinery: 1\n", ""),
        "demo.yaml:1: joinery: missing; add 1 (Version of the recipe language)",
        id="missing key at the top",
    ),
    pytest.param(
        ("joinery: 1", "joinery: 2"),
        "demo.yaml:1: joinery: found 2, expected 1 (Version of the recipe language)",
        id="other version of the language",
    ),
    pytest.param(
        ("alpha: 1", "alpha: '1'"),
        "demo.yaml:14: balance.alpha: found '1', expected a number ≥ 0",
        id="text for number",
    ),
    pytest.param(
        ("alpha: 1", "alpha: true"),
        "demo.yaml:14: balance.alpha: found true, expected a number ≥ 0",
        id="truth for number",
    ),
    pytest.param(
        ("alpha: 1", "sources: {nobody: {floor: 0.2}}"),
        "demo.yaml:14: balance.sources.nobody: there is no such source, found arm, web",
        id="limits on a source that is not there",
    ),
    pytest.param(
        ("alpha: 1", "targets: {action: {by: even}}"),
        "demo.yaml:14: balance.targets.action.by: found 'even', expected 'natural', 'power', 'shares' or 'uniform'",
        id="target of no kind there is",
    ),
    pytest.param(
        ("alpha: 1", "seed: 2.0"), "demo.yaml:14: balance.seed: found 2.0, expected a whole number", id="float for int"
    ),
    pytest.param(
        ("licence: MIT", "licence: 3"),
        "demo.yaml:8: sources[0].card.licence: found 3, expected some text (SPDX name, or what the publisher says);"
        " put it in quotes",
        id="number for text",
    ),
    pytest.param(
        ("licence: MIT", "licence: ''"),
        "demo.yaml:8: sources[0].card.licence: found '', expected some text (SPDX name, or what the publisher says)",
        id="empty text",
    ),
    pytest.param(
        ("alpha: 1", "alpha:"),
        "demo.yaml:14: balance.alpha: found nothing, expected a number ≥ 0",
        id="nothing for number",
    ),
    pytest.param(
        ("alpha: 1", "floor: 1.5"), "demo.yaml:14: balance.floor: found 1.5, expected a number ≥ 0 and ≤ 1", id="range"
    ),
    pytest.param(
        ("alpha: 1", "alpha: 1e999"), "demo.yaml:14: balance.alpha: found inf, expected a number ≥ 0", id="infinity"
    ),
    pytest.param(
        ("executor: inline", "executor: inlin"),
        "demo.yaml:16: run.executor: found 'inlin', expected 'inline' or 'ray'",
        id="enum",
    ),
    pytest.param(
        ("balance:\n  alpha: 1", "clip:\n  short_side: 17"),
        "demo.yaml:14: clip.short_side: found 17, expected a whole number ≥ 16 and ≤ 2160 and a multiple of 2",
        id="multiple",
    ),
    pytest.param(
        ("balance:\n  alpha: 1", "shard: 3"),
        "demo.yaml:13: shard: found 3, expected a section with the keys samples_per_shard, on_append, allow, card",
        id="value for section",
    ),
    pytest.param(
        ("    name: arm", "    name: arm\n    cameras: top"),
        "demo.yaml:7: sources[0].cameras: found 'top', expected a list of at least one text"
        " (Feature keys, master view first. Default: all, sorted)",
        id="text for list",
    ),
    pytest.param(
        ("    name: arm", "    name: the arm"),
        "demo.yaml:6: sources[0].name: found 'the arm', expected text matching ^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        id="name with a space",
    ),
    pytest.param(
        ("format: video_folder", "format: hdf9"),
        f"demo.yaml:9: sources[1].format: found 'hdf9', expected {FORMATS}",
        id="unknown union tag",
    ),
    pytest.param(
        ("format: video_folder\n    name: web", "name: web"),
        f"demo.yaml:9: sources[1].format: missing; add {FORMATS}",
        id="missing union tag",
    ),
    pytest.param(
        ("alpha: 1", "alpha: !!python/name:os.system x"),
        "demo.yaml:14: balance.alpha: found the tag 'tag:yaml.org,2002:python/name:os.system', expected a plain value",
        id="tag",
    ),
    pytest.param(
        ("alpha: 1", "? [1]\n  : 2"),
        "demo.yaml:14: balance: found a list or section as a key, expected a word",
        id="key",
    ),
    pytest.param(
        ("alpha: 1", "alpha: &a [*a]"), "demo.yaml:14: balance.alpha[0]: an alias (*) that contains itself", id="loop"
    ),
]


@pytest.mark.parametrize(("change", "line"), LINES)
def test_a_wrong_key_or_value_is_said_on_its_line(folder: Path, change: tuple[str, str], line: str) -> None:
    assert line in problems(edited(change))


def test_one_mistake_is_one_line(folder: Path) -> None:
    """A misspelt required key is not also reported as missing."""
    assert len(problems(edited(("    path: recordings/web", "    pth: recordings/web")))) == 1


def test_union_branches_leave_no_trace_in_key_paths(folder: Path) -> None:
    text = GOOD + "embed:\n  vision_language:\n    encoder: open_clip\n    model: 3\n"
    assert problems(text) == ["demo.yaml:20: embed.vision_language.model: found 3, expected text; put it in quotes"]


def test_all_problems_come_at_once_in_the_order_of_the_file(folder: Path) -> None:
    text = edited(("joinery: 1", "joinery: 2"), ("url: out", "urll: out"), ("recordings/web", "recordings/wed"))
    assert problems(text.replace("alpha: 1", "alpha: -1")) == [
        "demo.yaml:1: joinery: found 2, expected 1 (Version of the recipe language)",
        "demo.yaml:3: workspace.urll: unknown key; did you mean 'url'?",
        f"demo.yaml:11: sources[1].path: no folder at {folder}/recordings/wed; did you mean 'web' in"
        f" {folder}/recordings?",
        "demo.yaml:14: balance.alpha: found -1, expected a number ≥ 0",
    ]


ARM = "    name: arm\n    state:\n      - "
COMBINATIONS = [
    pytest.param(
        ("alpha: 1", "alpha: 0\n  beta: 0"),
        "demo.yaml:15: balance.beta: alpha and beta are both 0: nothing would be balanced; raise one",
        id="nothing balanced",
    ),
    pytest.param(
        ("balance:\n  alpha: 1", "split: {validation_fraction: 0.5, test_fraction: 0.5}"),
        "demo.yaml:13: split.test_fraction: found 0.5 beside validation_fraction 0.5: nothing would be left to train "
        "on; lower either",
        id="nothing to train on",
    ),
    pytest.param(
        ("balance:\n  alpha: 1", "cluster: {k_action: 100, sample: 500}"),
        "demo.yaml:13: cluster.k_action: 100 clusters of at least min_cluster (20) need 2000 events, the"
        " sample has 500;"
        " lower one or raise sample",
        id="more clusters than the sample fills",
    ),
    pytest.param(
        ("balance:\n  alpha: 1", "align: {max_fps: 5}"),
        "demo.yaml:13: align.max_fps: found 5.0, expected at least min_fps (10.0)",
        id="no allowed rate",
    ),
    pytest.param(
        ("balance:\n  alpha: 1", "segment: {merge_s: 2}"),
        "demo.yaml:13: segment.merge_s: found 2.0, expected less than max_segment_s (2.0)",
        id="every segment merged",
    ),
    pytest.param(
        ("balance:\n  alpha: 1", "segment: {visual_subtask: 0.1}"),
        "demo.yaml:13: segment.visual_subtask: found 0.1, expected visual_cut (0.3) or more",
        id="subtasks below actions",
    ),
    pytest.param(
        ("balance:\n  alpha: 1", "segment: {smooth_s: 0.05}"),
        "demo.yaml:13: segment.smooth_s: found 0.05, expected 3 samples or more of rate_hz (50.0)",
        id="window without samples",
    ),
    pytest.param(
        ("balance:\n  alpha: 1", "segment: {max_segment_s: 0.4}"),
        "demo.yaml:13: segment.max_segment_s: at align.min_fps (10.0) a segment would have 4 frames,"
        " expected at least 5;"
        " raise either",
        id="segments below five frames",
    ),
    pytest.param(
        ("balance:\n  alpha: 1", "embed: {action_points: 8, action_coefficients: 9}"),
        "demo.yaml:13: embed.action_coefficients: found 9, expected at most action_points (8)",
        id="more coefficients than points",
    ),
    pytest.param(
        ("    name: web", "    name: arm"),
        "demo.yaml:10: sources[1].name: found 'arm', the name of sources[0] too",
        id="two sources of one name",
    ),
    pytest.param(
        ("    name: arm", "    name: arm\n    cameras: [top, side, top]"),
        "demo.yaml:7: sources[0].cameras: found 'top' twice, expected each once",
        id="camera twice",
    ),
    pytest.param(
        ("    name: arm\n", ARM + "arm: left\n        rotation: {column: s, encoding: euler_xyz}\n"),
        "demo.yaml:9: sources[0].state[0].rotation: given without 'position'; a pose needs both, an arm"
        " may have neither",
        id="rotation without position",
    ),
    pytest.param(
        ("    name: arm\n", ARM + "arm: left\n"),
        "demo.yaml:8: sources[0].state[0].arm: nothing is read for it; name position, rotation, opening or fingers",
        id="arm without columns",
    ),
    pytest.param(
        ("    name: arm\n", ARM + "arm: left\n        position: {column: s, start: 0, stop: 2}\n"),
        "demo.yaml:9: sources[0].state[0].position.stop: start to stop takes 2 numbers, expected 3",
        id="position of two numbers",
    ),
    pytest.param(
        ("    name: arm\n", ARM + "arm: left\n        position: {column: s, start: 4}\n"),
        "demo.yaml:9: sources[0].state[0].position.start: given without 'stop'; give both, or neither for"
        " the whole column",
        id="half a slice",
    ),
    pytest.param(
        ("    name: arm\n", ARM + "arm: left\n        opening: {column: s, closed: 1}\n"),
        "demo.yaml:9: sources[0].state[0].opening.open: found 1.0, the same as closed; the two say which"
        " value means which",
        id="opening without range",
    ),
]


@pytest.mark.parametrize(("change", "line"), COMBINATIONS)
def test_values_that_contradict_each_other_are_one_problem(folder: Path, change: tuple[str, str], line: str) -> None:
    assert problems(edited(change)) == [line]
