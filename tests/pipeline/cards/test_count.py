"""Every number of a card, counted a second time in another way: from the tars, knowing only their layout."""

import hashlib
import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.cards.count import content_sha256, count
from pipeline.cards.folder import PAPERS, SetFiles
from pipeline.cards.interval import rate_of
from schemas.agreement import AgreementReport
from schemas.data_card import Annotation, DataCard, Handling, People, Subject
from tests.pipeline.shards.corpus import CARD, FRAME_NS, N_FRAMES, Corpus
from tests.schemas.agreement_example import AGREEMENT


@pytest.fixture(scope="module")
def facts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "facts.json").read_text())
    return found


@pytest.fixture(scope="module")
def samples(folder: Path) -> list[dict[str, Any]]:
    """Every event.json of every tar."""
    found = []
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".event.json"):
                    file = tar.extractfile(member)
                    assert file is not None
                    found.append(json.load(file))
    return found


def span_ns(sample: dict[str, Any]) -> int:
    span = sample["event"]["span"]
    return int(span["end_ns"] - span["start_ns"])


def test_what_was_published_is_what_is_counted_now(of: SetFiles, facts: dict[str, Any]) -> None:
    assert json.loads(json.dumps(count(of, CARD))) == facts


def test_splits_are_what_the_tars_hold(facts: dict[str, Any], samples: list[dict[str, Any]], folder: Path) -> None:
    for name in {sample["draw"]["split"] for sample in samples}:
        own = [sample for sample in samples if sample["draw"]["split"] == name]
        assert facts["splits"][name] == {
            "n_samples": len(own),
            "n_events": len({sample["event"]["event_id"] for sample in own}),
            "n_episodes": len({sample["lineage"]["episode_id"] for sample in own}),
            "duration_ns": sum(map(span_ns, own)),
            "n_pictures": sum(sample["n_frames"] for sample in own),
            "n_shards": len(list(folder.glob(f"{name}-*.tar"))),
            "n_bytes": sum(path.stat().st_size for path in folder.glob(f"{name}-*.tar")),
        }
    assert set(facts["splits"]) == {"train", "validation"}


def test_episodes_and_licences_are_what_the_tars_hold(facts: dict[str, Any], samples: list[dict[str, Any]]) -> None:
    licence_of = {sample["lineage"]["episode_id"]: sample["licence"] for sample in samples}
    assert facts["episodes"]["n"] == len(licence_of) == 4
    assert facts["episodes"]["duration_ns"] == facts["episodes"]["kept_ns"] == 4 * N_FRAMES * FRAME_NS
    assert facts["episodes"]["n_pictures"] == 4 * (N_FRAMES + 20)
    assert facts["episodes"]["n_without_actions"] == 1
    drawn = Counter(sample["licence"] for sample in samples)
    assert {row["licence"]: (row["n_episodes"], row["n_samples"]) for row in facts["licences"]["by_licence"]} == {
        name: (n, drawn[name]) for name, n in Counter(licence_of.values()).items()
    }


def test_the_strictest_licence_wins(facts: dict[str, Any]) -> None:
    said = {row["question"]: (row["answer"], row["because_of"]) for row in facts["licences"]["strictest"]}
    assert said["no commercial use"] == ("yes", ["web"])
    assert said["name the authors"] == ("yes", ["bench", "web"])
    assert said["pass on under the same licence"] == ("no", [])
    assert said["redistribution"] == ("non_commercial", ["web"])


def test_levels_are_those_of_the_events(facts: dict[str, Any], filmed: Corpus) -> None:
    frame = pd.DataFrame(
        [(str(event.level), event.span.end_ns - event.span.start_ns) for event in filmed.events],
        columns=["level", "ns"],
    )
    for level, lengths in frame.groupby("level")["ns"]:
        row = facts["levels"][level]
        assert (row["n"], row["duration_ns"]) == (len(lengths), lengths.sum())
        assert row["n_proposed"] == len(lengths)
        expected = np.quantile(lengths, [0.05, 0.25, 0.5, 0.75, 0.95], method="inverted_cdf")
        assert list(row["length_ns"].values()) == expected.tolist()


def test_words_are_those_of_the_level(facts: dict[str, Any]) -> None:
    words = facts["vocabulary"]
    assert words["verbs"]["top"] == [{"word": "move", "n": 16}]
    assert words["objects"]["top"] == [{"word": "cup", "n": 16}]
    assert "move" not in words["verbs"]["never"]
    assert "pour" in words["verbs"]["never"]
    assert words["captions"] == {"n": 16, "n_distinct": 4}


def test_embodiments_and_cameras_are_measured(facts: dict[str, Any], samples: list[dict[str, Any]]) -> None:
    (arm,) = (row for row in facts["embodiments"] if row["embodiment"] == "arm7")
    spans = [sample["event"]["span"] for sample in samples if sample["lineage"]["embodiment"] == "arm7"]
    assert arm["n_action_rows"] == sum(span["action_end"] - span["action_start"] for span in spans)
    assert arm["state_columns"] == [name for name in arm["state_columns"] if name.startswith("right_")]
    assert len(arm["state_columns"]) == 10
    top, wrist = facts["cameras"]
    assert (top["name"], top["n_episodes"], top["n_with_intrinsics"]) == ("observation.images.Top", 4, 4)
    assert top["n_pictures"] / (top["duration_ns"] / 1e9) == 20.0
    assert (wrist["name"], wrist["n_with_intrinsics"], wrist["n_varying"]) == ("wrist", 0, 0)


def test_splits_share_nothing_and_copies_are_told(facts: dict[str, Any]) -> None:
    assert facts["splits_apart"] == {"n_episodes_shared": 0, "n_events_shared": 0}
    assert (facts["left_out"]["n_recordings_twice"], facts["left_out"]["n_across_sources"]) == (1, 1)
    assert facts["left_out"]["near_duplicates"]["n"] == 0
    assert facts["findings"] == [{"stage": "align", "check": "frozen", "verdict": "trim", "n": 1}]


def test_the_content_has_one_digest_that_a_shell_can_make(facts: dict[str, Any], folder: Path, of: SetFiles) -> None:
    names = sorted(path.name for path in folder.iterdir() if path.name not in (*PAPERS, "set.json"))
    listed = "".join(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    assert facts["content_sha256"] == hashlib.sha256(listed.encode()).hexdigest() == content_sha256(of)
    assert facts["n_bytes"] == sum((folder / name).stat().st_size for name in names)


def test_miss_and_error_rates_are_worked_out_from_counts(of: SetFiles) -> None:
    faces = Handling(subject=Subject.FACES, method="blurred", n_checked=200, n_missed=3)
    voices = Handling(subject=Subject.VOICES, method="sound removed")
    report = AgreementReport.model_validate(AGREEMENT)
    card = DataCard(people=People(personal_data=[faces, voices]), annotation=Annotation(agreement=report))
    found = count(of, card)
    rate = rate_of(3, 200)
    assert rate is not None
    assert found["personal_data"] == [{"subject": "faces", "missed": vars(rate)}, {"subject": "voices", "missed": None}]
    assert (found["audit"]["action"]["events"]["n"], found["audit"]["action"]["events"]["rate"]) == (4, 0.05)
    assert found["audit"]["task"] == {"events": None, "episodes": None}
