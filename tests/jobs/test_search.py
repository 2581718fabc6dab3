"""``joinery search`` on a run of the small corpus."""

import json

from click.testing import Result
from typer.testing import CliRunner

from jobs.cli import app
from jobs.run import RunResult
from schemas.recipe_file import LoadedRecipe
from tests.jobs.conftest import BUDGET

Reference = tuple[RunResult, LoadedRecipe]


def asked(reference: Reference, *arguments: str) -> Result:
    options = ["--set", BUDGET, "--set", "run.executor=inline"]
    return CliRunner().invoke(app, ["search", str(reference[1].path), *arguments, *options])


def test_words_find_events_and_their_recordings(reference: Reference) -> None:
    result = asked(reference, "grasping", "--level", "action", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["found"]
    assert any("grasp" in hit["caption"].lower() for hit in found)
    assert [hit["score"] for hit in found] == sorted((hit["score"] for hit in found), reverse=True)
    assert {hit["level"] for hit in found} == {"action"}
    assert {"event_id", "episode_id", "source", "locator", "start_s", "end_s", "score"} <= set(found[0])
    shown = asked(reference, "grasping", "--level", "action")
    assert found[0]["event_id"] in shown.stdout


def test_likeness_ranks_other_events_and_keeps_the_words(reference: Reference) -> None:
    first = json.loads(asked(reference, "grasping", "--level", "action", "--json").stdout)["found"][0]["event_id"]
    result = asked(reference, "grasping", "--like", first, "--limit", "5", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["like"] == first
    assert first not in [hit["event_id"] for hit in said["found"]]
    assert {hit["level"] for hit in said["found"]} == {"action"}
    assert all(-1 <= value <= 1 for hit in said["found"] for value in hit["similarity"].values())


def test_what_cannot_be_found_says_so(reference: Reference) -> None:
    assert "nothing fits" in asked(reference, "xylophone").stdout
    for arguments, said in (
        ((), "nothing to search for"),
        (("--like", "ev-nothing"), "no embedded event has this id"),
        (("--like", "ev-"), "several events begin so"),
    ):
        result = asked(reference, *arguments)
        assert result.exit_code == 1
        assert said in result.stderr
