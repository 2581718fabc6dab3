"""Telling what dedup found: which episode is a copy of which, and what that does to the split."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from clustering.copies import Copy
from clustering.event_table import EventTable
from clustering.recordings import Recording
from clustering.same_recording import leaders
from clustering.sides import SAFEST, own_side
from schemas.cluster import Split
from schemas.duplicate import DuplicateEpisodes
from schemas.finding import Finding, Verdict
from schemas.recipe_dedup import SplitSpec

Rows = NDArray[np.int64]

STAGE_NAME = "dedup"
CORPUS = "corpus"
SHORT = 0.5
"""A held-out share below this part of what was asked for is told."""
_NOBODY = Recording("", "", ())


def duplicate_episodes(
    table: EventTable, recordings: Mapping[str, Recording], copies: Sequence[Copy], rank: Rows, keeper: Rows
) -> list[DuplicateEpisodes]:
    """Per episode with events that have a better one elsewhere, and per episode that holds it; sorted by both."""
    left = np.flatnonzero(keeper != np.arange(len(table)))
    ends = np.stack([table.episode[left], table.episode[keeper[left]]])
    pairs, shared = np.unique(ends, axis=1, return_counts=True)
    count = {(a, b): n for a, b, n in zip(*pairs.tolist(), shared.tolist(), strict=True) if a != b}
    whole = {(worse, better): copy for worse, (better, copy) in leaders(table, copies, rank).items()}
    sizes = np.bincount(table.episode, minlength=len(table.episode_ids)).tolist()
    found = []
    for worse, better in sorted({*count, *whole}):
        name, kept = (table.episode_ids[i].decode() for i in (worse, better))
        copy = whole.get((worse, better))
        ours, theirs = recordings.get(name, _NOBODY), recordings.get(kept, _NOBODY)
        found.append(
            DuplicateEpisodes(
                episode_id=name,
                source=ours.source,
                locator=ours.locator,
                kept_id=kept,
                kept_source=theirs.source,
                kept_locator=theirs.locator,
                same_recording=copy is not None,
                film=None if copy is None else copy.film,
                path_m=None if copy is None else copy.path_m,
                n_shared=count.get((worse, better), 0),
                n_events=sizes[worse],
            )
        )
    return found


def copy_findings(pairs: Sequence[DuplicateEpisodes], *, drop: bool) -> Iterator[Finding]:
    """One finding per episode: of the episodes that hold better copies of its events the one that holds most."""
    by_episode: dict[str, list[DuplicateEpisodes]] = {}
    for pair in pairs:
        by_episode.setdefault(pair.episode_id, []).append(pair)
    for name, found in by_episode.items():
        worst = max(found, key=lambda pair: (pair.same_recording, pair.n_shared, pair.crosses_sources))
        n_shared = sum(pair.n_shared for pair in found)
        where = f"{worst.kept_id} ({worst.kept_source}: {worst.kept_locator})"
        others = f" and {len(found) - 1} more" if len(found) > 1 else ""
        what = "is the same recording as" if worst.same_recording else "has near duplicates in"
        fate = "left out for the better copy" if drop else "kept beside the better copy, on the same side of the split"
        message = f"{worst.locator}: {what} {where}{others}; {n_shared} of {worst.n_events} events are {fate}"
        yield Finding(
            subject=name,
            source=worst.source,
            stage=STAGE_NAME,
            check="cross_source" if worst.crosses_sources else "near_duplicate",
            verdict=Verdict.TRIM if drop and n_shared else Verdict.KEEP,
            message=message,
            value=n_shared / worst.n_events,
        )


def side_findings(
    table: EventTable, recordings: Mapping[str, Recording], side: Rows, spec: SplitSpec
) -> Iterator[Finding]:
    """Episodes whose company put them on another side than their own, and splits that this leaves too small."""
    names = [name.decode() for name in table.episode_ids]
    for i, name in enumerate(names):
        own, given = own_side(name, spec), SAFEST[side[i]]
        if own is not given:
            of = recordings.get(name, _NOBODY)
            message = f"{of.locator}: would be in {own} by itself; a copy of it is in {given}, and so is it"
            yield Finding(name, of.source, STAGE_NAME, "side_of_copies", Verdict.KEEP, message)
    for split, asked in ((Split.VALIDATION, spec.validation_fraction), (Split.TEST, spec.test_fraction)):
        share = float(np.mean(side == SAFEST.index(split))) if names else asked
        alone = sum(own_side(name, spec) is split for name in names) / max(len(names), 1)
        if share < SHORT * min(asked, alone):
            message = (
                f"{split}: {share:.3f} of the episodes, {asked:g} were asked for; the others hang together with "
                "episodes in training by copies. Raise split.shared_events, or lower dedup.epsilon_vision_language "
                "and dedup.epsilon_action"
            )
            yield Finding(CORPUS, CORPUS, STAGE_NAME, "held_out_short", Verdict.KEEP, message, share, asked)
