"""Compiling a load plan into its folder, and appending to one: more of the same, or other weights from a step on.

Files are named by their contents and the header is written last, so a kill leaves the plan there was. Nothing is ever
rewritten: what an older header named stays readable, and the header itself stays beside as ``plan-<hash>.json``.
"""

from dataclasses import dataclass

from clustering.load_plan.cells import cells_digest
from clustering.load_plan.corpus import Corpus
from clustering.load_plan.draft import Draft, Target
from clustering.load_plan.measure import Realised
from clustering.load_plan.segment import SEGMENT_DRAWS
from pipeline.blobs import Blobs
from pipeline.errors import JoineryError
from pipeline.loader.plan import LoadPlan
from schemas.load_plan import HEADER, Chapter, LoadPlanHeader, Superseded, superseded_header
from schemas.recipe_load import LoadSpec


@dataclass(frozen=True, eq=False)
class Compiled:
    """A plan as it was left, and what was measured on the part that is new."""

    header: LoadPlanHeader
    realised: Realised


def compile_plan(
    out: Blobs, corpus: Corpus, spec: LoadSpec, target: Target, *, segment_draws: int = SEGMENT_DRAWS
) -> Compiled:
    """A new plan in an empty folder. Raises JoineryError when there is one already."""
    draft = Draft(out, segment_draws)
    if out.exists(HEADER):
        raise JoineryError(f"{out.url}: a load plan is there already; pass --append to extend it, or another --out")
    draft.open_chapter(corpus, spec, len(corpus.rise))
    draft.extend(corpus, target)
    return Compiled(draft.write(()), draft.realised)


def append(
    out: Blobs,
    corpus: Corpus,
    spec: LoadSpec,
    target: Target,
    *,
    from_step: int | None = None,
    segment_draws: int = SEGMENT_DRAWS,
) -> Compiled:
    """The plan in a folder, made longer; or from ``from_step`` on (default: its end) by another specification.

    Steps before stay as they are, to the byte. Raises JoineryError when nothing would change.
    """
    draft = Draft(out, segment_draws)
    plan = LoadPlan.open(out.url, out.storage)
    old = plan.header
    same = is_same(old.chapters[-1], corpus, spec)
    cut = old.n_steps if from_step is None else from_step
    if not 0 <= cut <= old.n_steps:
        raise JoineryError(f"{out.url}: --from-step {cut}, expected 0 … {old.n_steps}, the steps of the plan there is")
    if same and cut < old.n_steps:
        raise JoineryError(
            f"{out.url}: from step {cut} on nothing would change: shares and load section are the plan's own"
        )
    draft.take_over(plan, cut)
    if not same:
        shares_stay = same_shares(old.chapters[-1], corpus)
        draft.open_chapter(corpus, spec, old.chapters[-1].stages_left if shares_stay else len(corpus.rise))
    if target.reached(draft.n_draws, draft.n_steps):
        raise JoineryError(
            f"{out.url}: it has {draft.n_steps} steps of {draft.n_draws} draws there already; ask for more"
        )
    draft.extend(corpus, target)
    why = "extended" if same else "; ".join(differences(old.chapters[-1], draft.chapters[-1]))
    before = Superseded(plan_hash=old.plan_hash, n_steps=old.n_steps, kept_steps=cut, why=why)
    out.put_bytes(superseded_header(old.plan_hash), old.model_dump_json(indent=1).encode())
    return Compiled(draft.write((*old.history, before)), draft.realised)


def is_same(chapter: Chapter, corpus: Corpus, spec: LoadSpec) -> bool:
    """Whether a chapter goes on as this specification of this corpus says."""
    return chapter.spec == spec and same_shares(chapter, corpus)


def same_shares(chapter: Chapter, corpus: Corpus) -> bool:
    """Whether a chapter draws from these events in these shares, at its stage of a curriculum."""
    if chapter.catalogue != corpus.catalogue or chapter.stages_left > len(corpus.rise):
        return False
    return chapter.cells_sha256 == cells_digest(corpus.shares(chapter.stages_left))


def differences(old: Chapter, new: Chapter) -> list[str]:
    """What another chapter was asked to do otherwise, in words."""
    before, after = old.spec.model_dump(), new.spec.model_dump()
    found = [f"load.{key}: {before[key]} → {after[key]}" for key in after if before[key] != after[key]]
    if old.catalogue != new.catalogue:
        found.append(f"events: {old.n_events} of {old.shard_set_id} → {new.n_events} of {new.shard_set_id}")
    if old.cells_sha256 != new.cells_sha256:
        found.append(f"shares: sampling plan {old.sampling_plan_id} → {new.sampling_plan_id}")
    return found
