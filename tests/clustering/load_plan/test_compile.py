"""Whole plans: what is promised of them, and what appending keeps and changes."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.balance import balance
from clustering.load_plan.compile import append, compile_plan
from clustering.load_plan.corpus import Corpus, corpus_in
from clustering.load_plan.draft import Target
from pipeline.blobs import Blobs
from pipeline.errors import JoineryError
from pipeline.loader.plan import LoadPlan
from schemas.load_plan import HEADER
from schemas.recipe import BalanceSpec
from schemas.recipe_load import LoadSpec
from tests.clustering.load_plan.made import SPEC, made_corpus
from tests.clustering.made import strata

COUNTS = [3, 17, 40, 1, 25]
SEGMENT = 256
"""Draws of a segment, so that small plans have several."""


def compiled(folder: Path, corpus: Corpus, target: Target, spec: LoadSpec = SPEC) -> LoadPlan:
    compile_plan(Blobs(str(folder)), corpus, spec, target, segment_draws=SEGMENT)
    return LoadPlan.open(str(folder))


def extended(
    folder: Path, corpus: Corpus, target: Target, spec: LoadSpec = SPEC, from_step: int | None = None
) -> LoadPlan:
    append(Blobs(str(folder)), corpus, spec, target, from_step=from_step, segment_draws=SEGMENT)
    return LoadPlan.open(str(folder))


def events(plan: LoadPlan, first: int = 0) -> list[int]:
    return [draw.event for step in range(first, plan.n_steps) for pack in plan.step(step) for draw in pack.draws]


def test_a_plan_has_the_draws_or_the_steps_asked_for(tmp_path: Path) -> None:
    corpus = made_corpus(COUNTS)
    by_draws = compiled(tmp_path / "draws", corpus, Target(draws=700))
    assert by_draws.header.n_draws >= 700
    assert by_draws.n_draws_before(by_draws.n_steps - 1) < 700
    assert len(by_draws.header.segments) == 3
    assert compiled(tmp_path / "steps", corpus, Target(steps=50)).n_steps == 50


@pytest.mark.parametrize("world", [1, 2, 3, 5, 8])
def test_any_number_of_ranks_sees_each_pack_of_each_step_once(tmp_path: Path, world: int) -> None:
    plan = compiled(tmp_path, made_corpus(COUNTS), Target(steps=30))
    for step in range(30):
        ranks = [plan.rank_packs(step, rank, world) for rank in range(world)]
        slots = sorted(pack.slot for packs in ranks for pack in packs)
        assert slots == list(range(SPEC.packs_per_step))
        assert {pack for packs in ranks for pack in packs} == set(plan.step(step))
        assert all(pack.n_tokens <= SPEC.budget for packs in ranks for pack in packs)


@given(st.lists(st.integers(20, 120), min_size=2, max_size=10), st.integers(0, 3))
@settings(max_examples=10, deadline=None)
def test_every_event_is_used_between_f_and_r_times_an_epoch(counts: list[int], seed: int) -> None:
    """Up to the one use more or less that whole numbers and the waiting draws need."""
    v, a = np.arange(len(counts)) // 2, np.arange(len(counts)) % 2
    spec = BalanceSpec(repeat_cap=3, floor=0.5)
    masses = [cell.mass for cell in balance(strata(counts, v, a), spec).cells]
    corpus = made_corpus(counts, masses, seed)
    with tempfile.TemporaryDirectory() as folder:  # hypothesis runs the test many times over
        plan = compiled(Path(folder), corpus, Target(draws=3 * sum(counts)))
        drawn = plan.header.n_draws
        uses = np.bincount(events(plan), minlength=sum(counts))
    epochs = drawn / sum(counts)
    slack = 1 + (1 + SPEC.pack_window) / min(counts)
    assert uses.max() <= np.ceil(3 * epochs + slack)
    assert uses.min() >= np.floor(0.5 * epochs - slack)
    assert uses.min() >= 1, "every event, once its cell has had as many draws as events"


def test_a_plan_compiled_in_pieces_is_the_plan_of_one_go(tmp_path: Path) -> None:
    corpus = made_corpus(COUNTS)
    whole = compiled(tmp_path / "whole", corpus, Target(steps=90))
    heads = []
    pieces = compiled(tmp_path / "pieces", corpus, Target(steps=7))
    for steps in (8, 31, 32, 90):
        heads.append((pieces.plan_hash, pieces.n_steps))
        pieces = extended(tmp_path / "pieces", corpus, Target(steps=steps))
    assert len(whole.header.segments) > 2
    assert pieces.plan_hash == whole.plan_hash
    assert pieces.header.segments == whole.header.segments
    assert all(pieces.continues(*head) for head in heads)


def test_other_weights_begin_a_chapter_that_goes_on_with_events_not_used_yet(tmp_path: Path) -> None:
    corpus = made_corpus([2000, 2000])
    plan = compiled(tmp_path, corpus, Target(draws=1000))
    cut = plan.n_steps // 2
    first = [plan.step(step) for step in range(cut)]
    other = made_corpus([2000, 2000], [0.9, 0.1])
    longer = extended(tmp_path, other, Target(draws=1300), from_step=cut)
    assert [longer.step(step) for step in range(cut)] == first
    assert [chapter.first_step for chapter in longer.header.chapters] == [0, cut]
    later = longer.header.chapters[1]
    assert later.first_draw > max(draw.draw for step in first for pack in step for draw in pack.draws)
    cells = [draw.cell for step in range(cut, longer.n_steps) for pack in longer.step(step) for draw in pack.draws]
    assert np.bincount(cells) / len(cells) == pytest.approx([0.9, 0.1], abs=0.1)
    before, after = {d.event for step in first for pack in step for d in pack.draws}, events(longer, cut)
    assert len(before & set(after[:500])) <= SPEC.pack_window, "not the same events again"
    (entry,) = longer.header.history
    assert (entry.plan_hash, entry.kept_steps) == (plan.plan_hash, cut)
    assert "shares: sampling plan" in entry.why
    assert longer.continues(plan.plan_hash, cut)
    assert not longer.continues(plan.plan_hash, cut + 1)


def test_a_chapter_can_be_cut_and_extended_again(tmp_path: Path) -> None:
    corpus, later = made_corpus(COUNTS), SPEC.model_copy(update={"seed": 5})
    compiled(tmp_path, corpus, Target(steps=60))
    extended(tmp_path, corpus, Target(steps=80), later, from_step=33)
    again = extended(tmp_path, corpus, Target(steps=120), later)
    direct = compiled(tmp_path / "direct", corpus, Target(steps=33))
    assert direct.header.segments[0].chained == again.header.segments[0].chained
    assert len(again.header.chapters) == 2
    gone = extended(tmp_path, corpus, Target(steps=20), SPEC.model_copy(update={"seed": 9}), from_step=0)
    assert [chapter.spec.seed for chapter in gone.header.chapters] == [9]
    assert gone.header.history[-1].kept_steps == 0


def test_events_of_a_larger_corpus_can_be_gone_on_with(tmp_path: Path) -> None:
    compiled(tmp_path, made_corpus(COUNTS), Target(steps=20))
    more = made_corpus([*COUNTS, 50], seed=1)
    longer = extended(tmp_path, more, Target(steps=60))
    assert "events: 86 of ss-made → 136" in longer.header.history[0].why
    assert max(events(longer, 20)) >= 86
    assert longer.header.chapters[1].catalogue == more.catalogue


RISE = [(200, [0.9, 0.1]), (300, [0.7, 0.3]), (250, [0.5, 0.5])]
"""A curriculum as balance writes it: draws and shares of each step."""


def test_a_curriculum_is_a_chapter_per_step_and_stays_at_its_last(tmp_path: Path) -> None:
    corpus = made_corpus([900, 100], steps=RISE)
    plan = compiled(tmp_path / "whole", corpus, Target(draws=1500))
    chapters = plan.header.chapters
    assert [chapter.stages_left for chapter in chapters] == [2, 1, 0]
    assert [plan.cells(chapter).mass.tolist() for chapter in chapters] == [shares for _, shares in RISE]
    begins = [plan.n_draws_before(chapter.first_step) for chapter in chapters]
    step = SPEC.packs_per_step * SPEC.budget // 9
    assert 200 <= begins[1] < 200 + step
    assert 300 <= begins[2] - begins[1] < 300 + step
    pieces = compiled(tmp_path / "pieces", corpus, Target(draws=120))
    for draws in (210, 400, 1500):
        pieces = extended(tmp_path / "pieces", corpus, Target(draws=draws))
    assert pieces.plan_hash == plan.plan_hash


def test_other_packs_do_not_begin_a_curriculum_again(tmp_path: Path) -> None:
    corpus = made_corpus([900, 100], steps=RISE)
    compiled(tmp_path, corpus, Target(draws=700))
    plan = extended(tmp_path, corpus, Target(draws=900), SPEC.model_copy(update={"budget": 400}))
    assert [chapter.stages_left for chapter in plan.header.chapters] == [2, 1, 0, 0]


def test_the_folder_alone_is_enough_to_go_on(tmp_path: Path) -> None:
    corpus = made_corpus(COUNTS)
    plan = compiled(tmp_path / "a", corpus, Target(steps=20))
    kept = corpus_in(plan)
    assert kept is not None
    longer = extended(tmp_path / "a", kept, Target(steps=70))
    assert longer.plan_hash == compiled(tmp_path / "b", corpus, Target(steps=70)).plan_hash
    rising = made_corpus([900, 100], steps=RISE)
    assert corpus_in(compiled(tmp_path / "c", rising, Target(steps=5))) is None, "the shares to come are not there"


def test_a_plan_that_is_there_survives_whatever_stops_an_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = made_corpus(COUNTS)
    plan = compiled(tmp_path, corpus, Target(steps=20))
    steps = [plan.step(step) for step in range(20)]

    def stopped(_self: Blobs, _version: str, path: str, _write: object) -> None:
        assert path == HEADER
        raise KeyboardInterrupt

    monkeypatch.setattr(Blobs, "put_over", stopped)
    with pytest.raises(KeyboardInterrupt):
        extended(tmp_path, corpus, Target(steps=90))
    monkeypatch.undo()
    after = LoadPlan.open(str(tmp_path))
    assert after.plan_hash == plan.plan_hash
    assert [after.step(step) for step in range(20)] == steps
    assert extended(tmp_path, corpus, Target(steps=90)).n_steps == 90


def test_shares_and_settings_are_in_the_hash_and_names_of_sets_are_not(tmp_path: Path) -> None:
    corpus = made_corpus(COUNTS)
    hashes = [compiled(tmp_path / "0", corpus, Target(steps=9)).plan_hash]
    other = Corpus(
        corpus.cells, corpus.cell_of_event, corpus.sizes, corpus.catalogue, sampling_plan_id="pl-x", shard_set_id="ss-x"
    )
    assert compiled(tmp_path / "1", other, Target(steps=9)).plan_hash == hashes[0]
    for number, change in enumerate(({"seed": 1}, {"order": "stride"}, {"suffix_share": 0.4, "chunk_share": 0.1})):
        spec = SPEC.model_copy(update=change)
        hashes.append(compiled(tmp_path / f"2{number}", corpus, Target(steps=9), spec).plan_hash)
    hashes.append(compiled(tmp_path / "3", made_corpus(COUNTS, [1.0] * 5), Target(steps=9)).plan_hash)
    hashes.append(compiled(tmp_path / "4", made_corpus(COUNTS, name="y"), Target(steps=9)).plan_hash)
    assert len(set(hashes)) == len(hashes)


PINNED = "24fee032988167a1ca9dfaaf629c6efc0be807e95c27c36c07356fedfc1eb1ef"
"""Of the plan below. If it changes, plans compiled before cannot be extended: raise `schemas.load_plan.FORMAT`."""


def test_the_hash_is_the_same_on_every_machine_and_in_every_process(tmp_path: Path) -> None:
    code = (
        "import sys; from clustering.load_plan.compile import *; from tests.clustering.load_plan.made import *\n"
        "target, corpus = Target(steps=40), made_corpus([3, 17, 40, 1, 25])\n"
        "print(compile_plan(Blobs(sys.argv[1]), corpus, SPEC, target, segment_draws=256).header.plan_hash)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "there")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"})
    here = compiled(tmp_path / "here", made_corpus(COUNTS), Target(steps=40)).plan_hash
    assert {done.stdout.strip(), here} == {PINNED}


def test_what_would_change_nothing_or_overwrite_is_refused(tmp_path: Path) -> None:
    corpus = made_corpus(COUNTS)
    compiled(tmp_path, corpus, Target(steps=20))
    with pytest.raises(JoineryError, match="there already; pass --append"):
        compiled(tmp_path, corpus, Target(steps=20))
    with pytest.raises(JoineryError, match=r"20 steps of .* there already; ask for more"):
        extended(tmp_path, corpus, Target(steps=20))
    with pytest.raises(JoineryError, match=r"from step 9 on nothing would change"):
        extended(tmp_path, corpus, Target(steps=40), from_step=9)
    with pytest.raises(JoineryError, match="expected 0 … 20"):
        extended(tmp_path, corpus, Target(steps=40), from_step=21)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "bound"), [("strict", 1), ("two_stage", 2), ("stride", 2)])
def test_a_million_draws_keep_every_promise(tmp_path: Path, kind: str, bound: float) -> None:
    """`python -m pytest -m slow tests/clustering/load_plan`; about a minute."""
    counts = (1 + np.random.default_rng(0).pareto(1.1, 4096) * 10).astype(int).tolist()
    corpus = made_corpus(counts)
    spec = LoadSpec(order=kind, budget=768, packs_per_step=64)  # type: ignore[arg-type]  # one of the three
    made = compile_plan(Blobs(str(tmp_path)), corpus, spec, Target(draws=10**6))
    assert made.realised.cell_deviation < bound
    assert made.realised.packed_deviation < bound + spec.pack_window
    assert made.realised.utilisation >= 0.98
    assert max(made.realised.imbalances) <= 1.05
    plan = LoadPlan.open(str(tmp_path))
    parts = [plan.segment_arrays(number) for number in range(len(plan.header.segments))]
    event = np.concatenate([part["event"] for part in parts])
    cell = np.concatenate([part["cell"] for part in parts])
    uses = np.bincount(event, minlength=sum(counts))
    drawn = np.bincount(cell, minlength=len(counts))
    fewest, most = (of.astype(float) for of in (np.full(len(counts), np.inf), np.zeros(len(counts))))
    np.minimum.at(fewest, corpus.cell_of_event, uses)
    np.maximum.at(most, corpus.cell_of_event, uses)
    assert np.all(most - fewest <= 2), "one more or less, and one more for draws that wait"
    assert np.all(fewest[drawn >= np.array(counts) + spec.pack_window] >= 1), "coverage is complete"
