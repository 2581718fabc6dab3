"""Reading card.yaml: every problem at once, each with its line, and the recipe that names the file."""

import json
from pathlib import Path

import pytest

from data_cards.registry import bundled_card
from schemas.data_card import DataCard
from schemas.data_card_file import CardErrors, read_card
from schemas.recipe_file import recipe_digest
from tests.schemas.agreement_example import AGREEMENT
from tests.schemas.recipe_example import GOOD, load, problems

NAMED = f"{GOOD}shard: {{card: card.yaml}}\n"

pytestmark = pytest.mark.usefixtures("folder")


def write(text: str) -> None:
    Path("card.yaml").write_text(text, encoding="utf-8")


def test_a_recipe_names_a_card_or_writes_it_in_place() -> None:
    write("title: Cups\nreleased: 2026-03-31\n")
    named = load(NAMED).recipe
    in_place = load(f"{GOOD}shard:\n  card:\n    title: Cups\n    released: 2026-03-31\n").recipe
    assert named.shard.card == in_place.shard.card == read_card(Path("card.yaml"))
    assert recipe_digest(named) == recipe_digest(in_place) != recipe_digest(load(GOOD).recipe)


def test_without_one_nothing_is_stated() -> None:
    assert load(GOOD).recipe.shard.card == DataCard()


def test_every_problem_of_a_card_is_told_with_its_line() -> None:
    write("title: Cups\nreleased: soon\npeople:\n  takedwon_days: 3\n  personal_data:\n    - subject: feet\n")
    assert problems(NAMED) == [
        f"demo.yaml:17: shard.card: {Path.cwd()}/card.yaml:{line}"
        for line in (
            "2: released: found 'soon', expected a day such as 2026-03-31 (The day it was published, as 2026-03-31)",
            "4: people.takedwon_days: unknown key; did you mean 'takedown_days'?",
            "6: people.personal_data[0].subject: found 'feet', expected 'faces', 'number_plates', 'screens', 'voices', "
            "'places' or 'other'",
            "6: people.personal_data[0].method: missing; add some text",
        )
    ]


def test_a_contradiction_names_both_numbers() -> None:
    write("people:\n  personal_data:\n    - {subject: faces, method: x, n_checked: 3, n_missed: 4}\n")
    (problem,) = problems(NAMED)
    assert problem.endswith("card.yaml:3: people.personal_data[0].n_missed: found 4, expected n_checked (3) or less")


@pytest.mark.parametrize(("text", "said"), [("- a\n", "found a list, expected a card with keys"), ("a: [", "not YAML")])
def test_what_is_no_card_is_told(text: str, said: str) -> None:
    write(text)
    assert said in problems(NAMED)[0]


def test_a_card_that_is_not_there_is_told() -> None:
    (problem,) = problems(NAMED)
    assert "card.yaml: no such file; name an existing card" in problem


def test_the_measured_agreement_is_taken_in_and_other_keys_of_it_are_left() -> None:
    Path("agreement.json").write_text(json.dumps(AGREEMENT))
    write("annotation: {agreement: agreement.json}\n")
    report = load(NAMED).recipe.shard.card.annotation.agreement
    assert report is not None
    action = report.by_level.levels["action"]
    assert (action.raters.blind.pairs, action.machine.events.n) == (3, 4)
    in_place = load(f"{GOOD}shard: {{card: {{annotation: {{agreement: agreement.json}}}}}}\n")
    assert in_place.recipe.shard.card.annotation.agreement == report


@pytest.mark.parametrize("text", ["{", "{}", '{"joinery_agreement": 2, "at_rev": 1}'])
def test_an_agreement_that_is_none_is_told(text: str) -> None:
    Path("agreement.json").write_text(text)
    write("annotation: {agreement: agreement.json}\n")
    (problem,) = problems(NAMED)
    assert "card.yaml:1: annotation.agreement: " in problem
    assert "agreement.json: is no agreement document" in problem


def test_the_template_is_a_card_and_names_every_key(tmp_path: Path) -> None:
    text = bundled_card()
    (tmp_path / "card.yaml").write_text(text, encoding="utf-8")
    assert read_card(tmp_path / "card.yaml") == DataCard()
    for name, field in DataCard.model_fields.items():
        assert f"{name}:" in text
        for key in getattr(field.annotation, "model_fields", {}):
            assert f"{key}:" in text, f"{name}.{key}"


def test_errors_are_one_line_each(tmp_path: Path) -> None:
    with pytest.raises(CardErrors) as caught:
        read_card(tmp_path)
    assert len(caught.value.problems) == 1


def test_a_list_that_lets_nothing_through_is_told_before_anything_runs() -> None:
    (problem,) = problems(f"{GOOD}shard: {{allow: [Apache-2.0]}}\n")
    assert problem == (
        "demo.yaml:17: shard.allow: lets no source through; there are 'CC-BY-4.0' (not_stated), 'MIT' (not_stated)"
    )
    assert load(f"{GOOD}shard: {{allow: [mit]}}\n").recipe.shard.allow == ["mit"]
