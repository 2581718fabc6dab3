"""The dedup stage: which events are copies, which is kept, and which side their episodes are on."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.dedup import STAGE, DedupSlice
from clustering.sides import SAFEST, own_side
from pipeline.stage import Bundle
from schemas.arrow import from_table, to_table
from schemas.cluster import Assignment, ClusterModel, Embedding, FitCause, Membership, Space
from schemas.duplicate import DuplicateEpisodes
from schemas.episode import Episode
from schemas.finding import Finding, Verdict
from schemas.outline import Outline
from schemas.recipe_dedup import DedupSpec, SplitSpec
from schemas.source_card import Redistribution
from tests.clustering.made import assignment
from tests.clustering.test_copies import outline
from tests.pipeline.shards.corpus import episode as recorded

SPEC = DedupSlice(dedup=DedupSpec(), split=SplitSpec(validation_fraction=0.4, test_fraction=0.2))
V, A = "joinery-words-v1:0", "joinery-poses-v2:32x6"


def model(space: Space, name: str) -> ClusterModel:
    """One cluster, nothing projected away."""
    eye = np.eye(4, dtype=np.float32)
    return ClusterModel(
        "cm", 1, "", FitCause.FIRST, 0.0, "", space, name, np.zeros(4, np.float32), np.ones(4, np.float32),
        eye.reshape(-1), 4, eye[0], 1, np.zeros(1, np.int64), 1, 0.5, eye.reshape(-1), 0.5, -1.0, 20, 20, 20,
    )  # fmt: skip


MODELS = [model(Space.VISION_LANGUAGE, V), model(Space.ACTION, A)]


def vectors(item: Assignment, vision_language: Sequence[float], action: Sequence[float] = ()) -> list[Embedding]:
    found = [
        Embedding(item.event_id, item.episode_id, Space.VISION_LANGUAGE, V, np.asarray(vision_language, np.float32))
    ]
    if len(action):
        found.append(Embedding(item.event_id, item.episode_id, Space.ACTION, A, np.asarray(action, np.float32)))
    return found


def run(
    items: Sequence[Assignment],
    embeddings: Sequence[Embedding],
    outlines: Sequence[Outline] = (),
    spec: DedupSlice = SPEC,
    batch: int = 7,
    episodes: Sequence[Episode] = (),
) -> tuple[list[Membership], list[DuplicateEpisodes], list[Finding]]:
    def stream(records: Sequence[Any]) -> Any:
        return lambda: iter([list(records[i : i + batch]) for i in range(0, len(records), batch)])

    streams = {
        Assignment: stream(items), Embedding: stream(embeddings), ClusterModel: stream(MODELS),
        Outline: stream(outlines),
    }  # fmt: skip
    if spec.allow is not None:
        streams[Episode] = stream(episodes)
    assert set(streams) == {read.record for read in STAGE.reads if read.wanted(spec)}
    found = list(STAGE.run(Bundle("corpus", streams=streams), spec))
    for kind in (Membership, DuplicateEpisodes):
        records = [item for item in found if isinstance(item, kind)]
        assert from_table(kind, to_table(kind, records)) == records
    return tuple([item for item in found if isinstance(item, kind)] for kind in STAGE.writes)  # type: ignore[return-value]


def corpus(seed: int, n: int) -> tuple[list[Assignment], list[Embedding]]:
    """Events around few places in two cells, three to an episode."""
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(3, 2, 4))
    items, embeddings = [], []
    for i in range(n):
        item = assignment(
            f"ev-{i:03}", v=i % 2, of=f"ep-{i // 3:02}", tail=rng.random() < 0.1, recovery=rng.random() < 0.1
        )
        look, motion = places[rng.integers(3)] + 0.1 * rng.normal(size=(2, 4))
        items.append(item)
        embeddings += vectors(item, look, motion)
    return items, embeddings


CORPORA = st.builds(corpus, st.integers(0, 10_000), st.integers(1, 40))


def test_without_copies_every_event_is_on_the_side_of_its_episode() -> None:
    items = [assignment(f"ev-{i:02}", of=f"ep-{i // 3}", tail=i == 3, recovery=i == 4) for i in range(30)]
    embeddings = [one for i, item in enumerate(items) for one in vectors(item, [np.sin(i), np.cos(i), i % 2, 1.0])]
    spec = DedupSlice(dedup=DedupSpec(epsilon_vision_language=0.0), split=SPEC.split)
    members, pairs, findings = run(items, embeddings, spec=spec)
    assert [item.event_id for item in members] == [item.event_id for item in items]
    assert all(item.split is own_side(item.episode_id, SPEC.split) for item in members)
    assert len({item.split for item in members}) == 3
    assert [item.event_id for item in members if item.tail] == ["ev-03"]
    assert [item.event_id for item in members if item.recovery] == ["ev-04"]
    assert {(item.duplicate_group, item.duplicate_of) for item in members} == {("", "")}
    assert (pairs, findings) == ([], [])
    assert run([], []) == ([], [], [])


@given(CORPORA)
@settings(max_examples=30, deadline=None)
def test_promises_of_every_corpus(made: tuple[list[Assignment], list[Embedding]]) -> None:
    items, embeddings = made
    members, _, findings = run(items, embeddings)
    by_id = {item.event_id: item for item in members}
    groups: dict[str, list[Membership]] = {}
    for item in members:
        assert item.kept or not (item.tail or item.recovery)
        if not item.kept:
            keeper = by_id[item.duplicate_of]
            assert keeper.kept
            assert item.duplicate_group == keeper.duplicate_group != ""
        if item.duplicate_group:
            groups.setdefault(item.duplicate_group, []).append(item)
    assert all(len(group) > 1 and len({item.split for item in group}) == 1 for group in groups.values())
    assert all(
        len({item.split for item in members if item.episode_id == name}) == 1 for name in {i.episode_id for i in items}
    )
    moved = {item.episode_id for item in members if item.split is not own_side(item.episode_id, SPEC.split)}
    assert {finding.subject for finding in findings if finding.check == "side_of_copies"} == moved


@given(CORPORA, st.integers(1, 9))
@settings(max_examples=15, deadline=None)
def test_neither_order_nor_batches_matter(made: tuple[list[Assignment], list[Embedding]], batch: int) -> None:
    items, embeddings = made
    members, pairs, findings = run(items, embeddings)
    again, pairs_again, findings_again = run(items[::-1], embeddings[::-1], batch=batch)
    assert again[::-1] == members
    assert (pairs_again, findings_again) == (pairs, findings)


@given(CORPORA, st.integers(1, 39))
@settings(max_examples=25, deadline=None)
def test_appending_moves_episodes_towards_training_only(made: tuple[list[Assignment], list[Embedding]], n: int) -> None:
    items, embeddings = made
    old = [item for item in items if int(item.episode_id[3:]) < n // 3 + 1]
    names = {item.event_id for item in old}
    before = {item.episode_id: item.split for item in run(old, [e for e in embeddings if e.event_id in names])[0]}
    members, _, findings = run(items, embeddings)
    after = {item.episode_id: item.split for item in members}
    told = {finding.subject for finding in findings if finding.check == "side_of_copies"}
    for episode, side in before.items():
        assert SAFEST.index(after[episode]) <= SAFEST.index(side)
        assert after[episode] is side or episode in told


def test_both_spaces_must_agree() -> None:
    same, other = [1.0, 0, 0, 0], [0, 1.0, 0, 0]
    items = [assignment(f"ev-{i}", of=f"ep-{i}") for i in range(4)]
    looks, motions = [same, same, same, other], [same, same, other, same]
    embeddings = [one for row in zip(items, looks, motions, strict=True) for one in vectors(*row)]
    members, pairs, findings = run(items, embeddings)
    assert [item.duplicate_of for item in members] == ["", "ev-0", "", ""]
    ((pair,), (finding,)) = pairs, [f for f in findings if f.check == "near_duplicate"]
    assert (pair.episode_id, pair.kept_id, pair.n_shared, pair.n_events) == ("ep-1", "ep-0", 1, 1)
    assert (finding.subject, finding.verdict, finding.value) == ("ep-1", Verdict.TRIM, 1.0)
    kept = SPEC.model_copy(update={"dedup": DedupSpec(on_duplicates="keep")})
    members, _, findings = run(items, embeddings, spec=kept)
    assert [bool(item.duplicate_group) for item in members] == [True, True, False, False]
    assert all(item.kept for item in members)
    assert {f.verdict for f in findings} == {Verdict.KEEP}


def test_the_better_recording_is_kept() -> None:
    items = [assignment(f"ev-{i}", of=f"ep-{i}") for i in range(2)]
    embeddings = [one for item in items for one in vectors(item, [1.0, 0, 0, 0], [1.0, 0, 0, 0])]
    worse = replace(outline("ep-0", 1), n_doubts=3, source="shop")
    members, pairs, findings = run(items, embeddings, [worse, outline("ep-1", 2)])
    assert [item.duplicate_of for item in members] == ["ev-1", ""]
    assert (pairs[0].source, pairs[0].kept_source, pairs[0].crosses_sources) == ("shop", "lab", True)
    assert [f.subject for f in findings if f.check == "cross_source"] == ["ep-0"]
    assert "near_duplicate" not in {f.check for f in findings}


def test_one_recording_cut_and_named_anew_is_found_whatever_its_events_say() -> None:
    first = [assignment(f"ev-a{i}", of="ep-a", start_s=float(i)) for i in range(4)]
    again = [assignment(f"ev-b{i}", v=9, of="ep-b", start_s=i + 0.3, tail=i == 2) for i in range(4)]
    embeddings = [
        one for i, item in enumerate([*first, *again]) for one in vectors(item, [np.sin(i), np.cos(i), i % 3, 1])
    ]
    copies = [outline("ep-a", 1), replace(outline("ep-b", 1, noise=0.3), n_doubts=1)]
    members, (pair,), _ = run([*first, *again], embeddings, copies)
    assert [item.duplicate_of for item in members] == ["", "", "", "", "ev-a0", "ev-a1", "", "ev-a3"]
    assert (pair.same_recording, pair.n_shared, pair.path_m) == (True, 3, 0.0)
    assert len({item.split for item in members}) == 1


def test_episodes_may_be_bound_by_many_events_only() -> None:
    sides = {f"ep-{i}": own_side(f"ep-{i}", SPEC.split) for i in range(60)}
    train = next(name for name, side in sides.items() if side is SAFEST[0])
    held = next(name for name, side in sides.items() if side is SAFEST[1])
    items = [assignment(f"ev-{i}", of=train if i < 3 else held) for i in range(6)]
    looks = [*np.eye(4)[:3], np.eye(4)[0], np.eye(4)[3], -np.eye(4)[3]]
    embeddings = [one for i, item in enumerate(items) for one in vectors(item, looks[i], [1.0, i, 0, i * i])]
    embeddings[7] = replace(embeddings[7], vector=embeddings[1].vector)  # one event of three in common
    bound, _, findings = run(items, embeddings)
    assert {item.split for item in bound} == {SAFEST[0]}
    assert bound[3].duplicate_of == "ev-0" or bound[0].duplicate_of == "ev-3"
    assert "held_out_short" in {finding.check for finding in findings}
    free = SPEC.model_copy(update={"split": SPEC.split.model_copy(update={"shared_events": 0.5})})
    members, pairs, _ = run(items, embeddings, spec=free)
    assert [item.split for item in members] == [SAFEST[0]] * 3 + [SAFEST[1]] * 3
    assert all(item.kept and not item.duplicate_group for item in members)
    assert pairs == []


def test_an_event_assigned_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="ev-1: assigned twice"):
        run([assignment("ev-1"), assignment("ev-1", 1)], [])


# -- licences ----------------------------------------------------------------------------------------------------------


def two_licences(allow: tuple[str, ...] | None) -> tuple[list[Membership], list[DuplicateEpisodes], list[Finding]]:
    """One recording twice: the better copy is the one whose licence not everybody allows."""
    better, worse = recorded(2, actions=False), recorded(3)
    items = [
        replace(assignment(f"ev-{of.episode_id[-1]}", of=of.episode_id), duration_s=seconds)
        for of, seconds in ((better, 2.0), (worse, 1.0))
    ]
    embeddings = [one for item in items for one in vectors(item, [1.0, 0, 0, 0], [1.0, 0, 0, 0])]
    modes = {"web": Redistribution.NON_COMMERCIAL, "bench": Redistribution.ALLOWED}
    spec = SPEC.model_copy(update={"allow": allow, "redistribution": modes})
    return run(items, embeddings, spec=spec, episodes=[better, worse])


def test_what_is_not_allowed_is_kept_by_nobody_and_keeps_nobody_out() -> None:
    members, pairs, _ = two_licences(None)
    (out,) = (item for item in members if not item.kept)
    assert (len(pairs), out.withheld) == (1, "")
    keeper = next(item for item in members if item.kept)
    refused = {"ev-2": "CC-BY-4.0", "ev-3": "CC-BY-NC-4.0"}[keeper.event_id]  # so that the keeper is not let through
    members, pairs, findings = two_licences((refused,))
    by_id = {item.event_id: item for item in members}
    assert not by_id[keeper.event_id].kept
    assert by_id[keeper.event_id].withheld != ""
    assert by_id[out.event_id].kept
    assert by_id[out.event_id].duplicate_group == ""
    assert pairs == []
    assert [(finding.check, finding.verdict) for finding in findings if finding.check == "licence_not_allowed"] == [
        ("licence_not_allowed", Verdict.DROP)
    ]


def test_a_list_that_lets_everything_through_changes_nothing() -> None:
    assert two_licences(("allowed", "non_commercial")) == two_licences(None)
