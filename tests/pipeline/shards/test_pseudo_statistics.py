"""Normalisation never mixes actions that were measured with actions that were seen."""

import dataclasses
from pathlib import Path

import pytest

from pipeline.blobs import Blobs
from pipeline.shards.statistics import statistics
from schemas.episode import ActionKind
from schemas.shard import ShardStatistics, statistics_group
from tests.pipeline.shards import corpus
from tests.pipeline.shards.corpus import EMBODIMENT, Corpus


@pytest.mark.parametrize("kind", [ActionKind.MEASURED, ActionKind.RETARGETED, ActionKind.NONE])
def test_measured_actions_are_counted_by_embodiment(kind: ActionKind) -> None:
    assert statistics_group("arm7", kind) == "arm7"


def test_pseudo_actions_of_an_embodiment_have_statistics_of_their_own(filmed: Corpus, tmp_path: Path) -> None:
    first = min(track.episode_id for track in filmed.tracks)

    def seen(record: object) -> object:
        if getattr(record, "episode_id", "") != first:
            return record
        key = "action_kind" if hasattr(record, "action_kind") else "kind"
        return dataclasses.replace(record, **{key: ActionKind.PSEUDO})  # type: ignore[type-var]

    mixed = dataclasses.replace(
        filmed, episodes=[seen(one) for one in filmed.episodes], tracks=[seen(one) for one in filmed.tracks]
    )

    def groups(of: Corpus, folder: str) -> dict[str, dict[str, dict[str, list[float]]]]:
        records = corpus.write_shards(of, Blobs(str(tmp_path / folder)))
        found = [record for record in records if isinstance(record, ShardStatistics)]
        described: dict[str, dict[str, dict[str, list[float]]]] = statistics([found])["embodiments"]
        return described

    alone, apart = groups(filmed, "measured"), groups(mixed, "mixed")
    assert set(alone) == {EMBODIMENT}
    assert set(apart) == {EMBODIMENT, f"{EMBODIMENT}:pseudo"}
    rows = [of["state"]["n_rows"][10] for of in (alone[EMBODIMENT], *apart.values())]
    assert rows[0] == rows[1] + rows[2]
    assert min(rows) > 0
