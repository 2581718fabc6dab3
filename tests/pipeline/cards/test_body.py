"""What the sections say, from what people state and what was counted."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.cards.body import card_of
from pipeline.cards.count import count
from pipeline.cards.folder import SetFiles
from pipeline.cards.markdown import markdown
from schemas.agreement import AgreementReport
from schemas.data_card import (
    Annotation,
    CameraNote,
    Change,
    Collection,
    DataCard,
    Embodiment,
    Handling,
    Operators,
    People,
    Subject,
    Uses,
)
from schemas.plan import LimitedShare
from tests.schemas.agreement_example import AGREEMENT

DAY = "2026-03-31"


def said(of: SetFiles, card: DataCard, **counted: Any) -> str:
    return markdown(card_of(card, {**count(of, card), **counted}))


def test_an_empty_card_makes_a_whole_page_that_invents_nothing(of: SetFiles) -> None:
    text = said(of, DataCard())
    assert text.startswith("# Joinery shards\n\n16 samples, each one event")
    assert "- **Version**: 0.0.0, not released" in text
    assert text.count("not stated") > 30
    assert "handling not stated; Joinery removes none of them" in text


def test_what_is_stated_stands_beside_what_was_counted(of: SetFiles) -> None:
    card = DataCard(
        uses=Uses(intended=["learn to put cups away"]),
        embodiments=[Embodiment(name="arm7", arms=1, degrees_of_freedom=7, control_mode="impedance", simulated=False)],
        cameras=[CameraNote(name="wrist", mount="on the hand")],
        collection=Collection.model_validate({"operators": Operators(number=3), "first_day": DAY}),
        changelog=[Change.model_validate({"version": "1.0.0", "day": DAY, "changes": "first"})],
    )
    text = said(of, card)
    assert "- learn to put cups away" in text
    assert "real; 1 arm; 7 degrees of freedom; impedance" in text
    assert "| on the hand |" in text
    assert "- **Operators**: 3; skill not stated" in text
    assert "- **Period**: 2026-03-31 to ?" in text
    assert "| 1.0.0 | 2026-03-31 | first |" in text


def test_a_miss_rate_is_shown_with_its_interval(of: SetFiles) -> None:
    faces = Handling(subject=Subject.FACES, method="EgoBlur", version="1.0", n_checked=400, n_missed=6)
    plates = Handling(subject=Subject.NUMBER_PLATES, method="EgoBlur")
    text = said(
        of, DataCard(people=People(personal_data=[faces, plates], takedown_contact="a@b.org", takedown_days=14))
    )
    assert "| faces | EgoBlur | 1.0 | 1.5 % (6 of 400; 95 %: 0.69 to 3.2 %) | 400 pictures |" in text
    assert "| number plates | EgoBlur | not stated | not measured | 0 pictures |" in text
    assert "- **Takedown**: a@b.org, answered within 14 days" in text


def test_agreement_and_audit_are_shown_when_they_were_measured(of: SetFiles) -> None:
    report = AgreementReport.model_validate(AGREEMENT)
    text = said(of, DataCard(annotation=Annotation(agreement=report)))
    assert "| action | 0.25 s | 0.810 | 0.850 | 3 | 2 |" in text
    assert "| action | 5 % (4 of 80; 95 %: 2 to 12 %) | 50 % (2 of 4; 95 %: 15 to 85 %) |" in text
    assert "| task | not measured | not measured |" in text
    assert "Agreement of people who look blind**: not measured" not in text


def test_limits_follow_from_the_data(of: SetFiles) -> None:
    text = said(of, DataCard())
    assert "In 3 of 4 (75.0 %) episodes the clocks of video and actions could not be verified." in text
    assert "In 1 of 4 (25.0 %) episodes there are no actions" in text


def test_what_licences_left_out_is_told(of: SetFiles) -> None:
    group = {"reason": "licence", "licence": "CC-BY-NC-4.0", "source": "web", "n_events": 7, "n_episodes": 2}
    left = {**count(of, DataCard())["left_out"], "groups": [group]}
    assert "- **Left out by licence**: 7 events of 2 episodes of web (CC-BY-NC-4.0)" in said(
        of, DataCard(), left_out=left
    )


def test_what_the_recipe_limits_stands_on_the_card_targets_by_how_far_they_moved(of: SetFiles) -> None:
    named = [LimitedShare(f"balance.targets.action, cluster {i}", 0.1, 0.1, 0.1, 0.1 + i / 100, 0.5) for i in range(30)]
    limits = [vars(limit) for limit in (*named, LimitedShare("balance.sources.cups", 0.2, 1.0, 0.15, 0.2, 0.375))]
    balance = {**count(of, DataCard())["balance"], "limits": limits}
    text = said(of, DataCard(), balance=balance)
    assert "| balance.sources.cups | 0.2000 | 1.0000 | 0.1500 | 0.2000 | 0.3750 |\n" in text
    assert "cluster 29 |" in text
    assert "cluster 19 |" not in text


def test_evenness_is_there_for_everything_and_each_source(of: SetFiles) -> None:
    text = said(of, DataCard())
    for name in ("all", "bench", "web"):
        assert text.count(f"| {name} | vision language |") == 2


@pytest.mark.parametrize("name", ["README.md", "card.html", "croissant.json", "facts.json"])
def test_no_path_of_this_machine_is_on_the_card(folder: Path, name: str) -> None:
    assert str(folder.parents[1]) not in (folder / name).read_text()
