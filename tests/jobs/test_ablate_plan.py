"""Plans of equal tokens: counted from the plans of two arms, window by window."""

from itertools import pairwise
from pathlib import Path

import pytest

from jobs.ablate_arms import arms_of, load_of
from jobs.ablate_plan import compile_equal, tokens_of
from pipeline.errors import JoineryError
from pipeline.loader.plan import LoadPlan
from tests.jobs.ablation import small
from tests.pipeline.shards.corpus import published_set
from trainer.configs import tiny

TOKENS = 5000


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> str:
    return published_set(tmp_path_factory.getbasetemp() / "published")


def test_two_arms_see_equally_many_tokens(shards: str, tmp_path: Path) -> None:
    spec, found = small(shards), []
    for number, arm in enumerate(arms_of(spec)):
        out, load = tmp_path / str(number), load_of(arm, spec, tiny())
        made = compile_equal(shards, out, load, TOKENS)
        plan = LoadPlan.open(str(out))
        draws = [draw for step in range(plan.n_steps) for pack in plan.step(step) for draw in pack.draws]
        assert (made.plan_hash, made.steps, made.draws) == (plan.plan_hash, plan.n_steps, len(draws))
        assert made.tokens == sum(draw.n_tokens for draw in draws) == sum(tokens_of(plan))
        assert TOKENS - load.budget * load.packs_per_step < made.tokens <= TOKENS
        found.append((made, {draw.kind.name for draw in draws}))
    assert found[0][1] != found[1][1] == {"CHUNK"}
    assert all(abs(one.tokens - other.tokens) < 768 for (one, _), (other, _) in pairwise(found))


def test_a_plan_is_made_anew_and_the_same_where_one_was_half_made(shards: str, tmp_path: Path) -> None:
    spec = small(shards)
    load = load_of(arms_of(spec)[0], spec, tiny())
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "plan.json").write_text("half")
    made = compile_equal(shards, tmp_path / "plan", load, TOKENS)
    assert made == compile_equal(shards, tmp_path / "again", load, TOKENS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "plan"]


def test_too_few_tokens_for_one_step_are_an_error(shards: str, tmp_path: Path) -> None:
    spec = small(shards)
    with pytest.raises(JoineryError, match="tokens: found 9, expected"):
        compile_equal(shards, tmp_path / "plan", load_of(arms_of(spec)[0], spec, tiny()), 9)
