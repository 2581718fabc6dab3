"""The data card: counted facts in a fixed form, safe against names that would break a table."""

import dataclasses
import re
from collections import Counter
from typing import Any

import pytest
import yaml

from pipeline.blobs import Blobs
from pipeline.shards.card import card, template, values
from pipeline.shards.facts import Facts
from pipeline.shards.publish import gather
from pipeline.stage import Bundle
from schemas.plan import LimitedShare
from schemas.shard import ShardFile
from tests.pipeline.shards.corpus import Corpus, card_streams


@pytest.fixture(scope="module")
def facts(filmed: Corpus, written: list[Any]) -> Facts:
    files = tuple(file for file in written if isinstance(file, ShardFile))
    return gather(Bundle(item="corpus", streams=card_streams(filmed, written)), files)


@pytest.fixture(scope="module")
def text(facts: Facts) -> str:
    return card(facts, title="Cups | 1\n", contact="a@b", short_side=32)


def test_every_placeholder_is_filled_and_every_value_is_used(facts: Facts, text: str) -> None:
    placeholders = set(re.findall(r"\$(\w+)", template()))
    assert placeholders == set(values(facts, title="t", contact="c", short_side=2))
    assert "$" not in text


def test_the_front_matter_is_what_hugging_face_reads(text: str) -> None:
    _, header, _ = text.split("---\n", 2)
    found = yaml.safe_load(header)
    assert found["license_name"] == "CC-BY-4.0, CC-BY-NC-4.0"
    assert found["size_categories"] == ["n<1K"]
    assert found["configs"][0]["data_files"][0] == {"split": "train", "path": "train-*.tar"}


def test_tables_have_as_many_cells_as_their_header(text: str) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_limits_follow_from_the_data(text: str) -> None:
    assert "The two clocks could not be verified in 3 of 4 (75.0 %) episodes." in text
    assert "1 of 4 (25.0 %) episodes have no actions" in text


def test_names_cannot_break_the_page(text: str) -> None:
    assert "# Cups \\| 1\n" in text


def test_no_path_of_this_machine_is_on_the_card(text: str, blobs: Blobs) -> None:
    assert blobs.url not in text


def test_what_the_recipe_limits_stands_on_the_card_targets_by_how_far_they_moved(facts: Facts) -> None:
    named = [LimitedShare(f"balance.targets.action, cluster {i}", 0.1, 0.1, 0.1, 0.1 + i / 100, 0.5) for i in range(30)]
    limits = (*named, LimitedShare("balance.sources.cups", 0.2, 1.0, 0.15, 0.2, 0.375))
    limited = dataclasses.replace(facts, plan=dataclasses.replace(facts.plan, limits=limits))
    text = card(limited, title="t", contact="c", short_side=32)
    assert "| balance.sources.cups | 0.2000 | 1.0000 | 0.1500 | 0.2000 | 0.3750 |\n" in text
    assert re.findall(r"balance\.targets\.action, cluster (\d+) ", text) == [str(i) for i in range(29, 19, -1)]


def test_clusters_are_held_against_verbs_once_per_event(facts: Facts, text: str) -> None:
    n_events = sum(split.n_events for split in facts.splits.values())
    counts = sum((split.verbs_by_look for split in facts.splits.values()), Counter())
    assert sum(counts.values()) == n_events
    assert all(verb for _, verb in counts)
    assert f"| vision_language | {n_events} | " in text
    assert sum(sum(split.verbs_by_motion.values()) for split in facts.splits.values()) < n_events


def test_uses_and_evenness_are_there_for_everything_and_each_source(facts: Facts, text: str) -> None:
    names = {uses.source for uses in facts.plan.uses}
    assert len(names) >= 3
    for name in names:
        assert text.count(f"| {name or 'all'} | vision_language |") == 2
        assert re.search(rf"\| {name or 'all'} \| \d+ \| [0-9.]+ \|", text)
