"""The data card: the template of ``data_cards/shard_set.md`` filled with counted facts, none typed by hand."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from string import Template

import yaml

from pipeline.shards.agreement import agreement
from pipeline.shards.facts import NS_PER_HOUR, Facts, SplitFacts, deviations
from schemas.event import Level
from schemas.plan import LimitedShare, Spread, Uses
from schemas.time import NS_PER_S

NOTHING = "none"
ALL = "all"
MOST_TARGETS = 10


def template() -> str:
    """The card's text with ``$``-placeholders."""
    return resources.files("data_cards").joinpath("shard_set.md").read_text(encoding="utf-8")


def card(facts: Facts, *, title: str, contact: str, short_side: int) -> str:
    """The card as Markdown with Hugging Face front matter. Raises KeyError for a placeholder nobody fills."""
    return Template(template()).substitute(values(facts, title=title, contact=contact, short_side=short_side))


def values(facts: Facts, *, title: str, contact: str, short_side: int) -> dict[str, str]:
    """What every placeholder says."""
    plan, n_events = facts.plan, sum(facts.levels.values())
    row_deviation, cell_deviation = deviations(plan, facts.splits.get("train"))
    n_samples = sum(split.n_samples for split in facts.splits.values())
    train = [file.shard for file in facts.shards if file.split == "train"]
    return {
        "front_matter": _front_matter(facts, title, n_samples),
        "title": _cell(title),
        "what": _what(facts, n_samples),
        "splits": _rows(_split_row(name, split, facts) for name, split in facts.splits.items()),
        "sources": _rows(_source_rows(facts)),
        "contact": _cell(contact),
        "levels": _rows(_level_row(facts, str(level)) for level in Level),
        "level": plan.level,
        "captions": _counted(facts.captions),
        "reviewed": _share(n_events - facts.reviews["proposed"], n_events),
        "needs_vlm": _share(facts.needs_vlm, n_events),
        "plan_id": plan.plan_id,
        "kkt": f"{plan.kkt_residual:.1e}",
        "ess": f"{plan.effective_sample_size:.1f}",
        "n_events": str(plan.n_events),
        "max_uses": f"{plan.max_uses:.2f}",
        "row_deviation": f"{row_deviation:.3f}",
        "cell_deviation": f"{cell_deviation:.3f}",
        "balance": _rows(
            _spread_row(when, spread)
            for pair in zip(plan.before, plan.after, strict=True)
            for when, spread in zip(("before", "after"), pair, strict=True)
        ),
        "unit": plan.unit,
        "uses": _rows(map(_uses_row, plan.uses)),
        "limited": _rows(map(_limited_row, _by_distance(plan.limits)) if plan.limits else [[NOTHING, *("–",) * 5]]),
        "clusterings": _rows(
            [
                str(model.space),
                model.embedding_model,
                str(model.n_clusters),
                f"{model.seed_ari:.2f}" if model.seed_ari >= 0 else "not measured",
                str(model.smallest_cluster),
                str(model.n_fitted),
            ]
            for model in facts.clusterings
        ),
        "verbs": _rows(
            [
                ["vision_language", *_agreement_row(_summed(split.verbs_by_look for split in facts.splits.values()))],
                ["action", *_agreement_row(_summed(split.verbs_by_motion for split in facts.splits.values()))],
            ]
        ),
        "sync": _counted(facts.sync),
        "copies": _copies(facts),
        "findings": _rows([*key, str(n)] for key, n in sorted(facts.findings.items())),
        "last_train": train[-1].rsplit("-", 1)[-1] if train else "000000",
        "short_side": str(short_side),
        "limits": _limits(facts),
    }


def _front_matter(facts: Facts, title: str, n_samples: int) -> str:
    """Hugging Face's dataset card header."""
    licences = sorted({key.licence for key in facts.episodes})
    bounds = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]
    header = {
        "pretty_name": title,
        "license": "other",
        "license_name": ", ".join(licences) or "none stated",
        "task_categories": ["robotics"],
        "tags": ["webdataset", "robotics", "temporal-segmentation", "vision-language-action"],
        "size_categories": [next((name for bound, name in bounds if n_samples < bound), "n>1M")],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": name, "path": f"{name}-*.tar"} for name in facts.splits],
            }
        ],
    }
    return f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---"


def _what(facts: Facts, n_samples: int) -> str:
    hours = _hours(sum(facts.episode_ns.values()))
    return (
        f"{n_samples} samples, each one event of robot or human video with the actions and captions of exactly the "
        f"same span, from {sum(facts.episodes.values())} recorded episodes ({hours} hours). Plain WebDataset tars, "
        "ordered so that every prefix follows the sampling plan."
    )


def _split_row(name: str, split: SplitFacts, facts: Facts) -> list[str]:
    files = [file for file in facts.shards if file.split == name]
    hours = _hours(split.ns)
    n_bytes = sum(file.n_bytes for file in files)
    return [name, str(split.n_samples), str(split.n_events), hours, str(len(files)), str(n_bytes)]


def _source_rows(facts: Facts) -> Iterable[list[str]]:
    for key in sorted(facts.episodes, key=lambda key: tuple(vars(key).values())):
        hours = _hours(facts.episode_ns[key])
        yield [
            key.source,
            key.kind,
            key.dataset,
            key.embodiment,
            key.action_kind,
            key.licence,
            key.consent,
            str(facts.episodes[key]),
            hours,
        ]


def _level_row(facts: Facts, level: str) -> list[str]:
    n, ns = facts.levels[level], facts.level_ns[level]
    return [level, str(n), _hours(ns), f"{ns / NS_PER_S / n:.2f}" if n else "–"]


def _spread_row(when: str, spread: Spread) -> list[str]:
    share = spread.n_effective / spread.n_bins if spread.n_bins else 0.0
    numbers = (spread.n_effective, share, spread.gini, spread.max_over_min)
    return [spread.source or ALL, spread.axis, when, str(spread.n_bins), *(f"{number:.3f}" for number in numbers)]


def _summed(counts: Iterable[Counter[tuple[int, str]]]) -> Counter[tuple[int, str]]:
    return sum(counts, Counter())


def _agreement_row(counts: Mapping[tuple[int, str], int]) -> list[str]:
    found = agreement(counts)
    figures = [f"{figure:.2f}" for figure in (found.nmi, found.purity, found.ari)] if found.n_events else ["–"] * 3
    return [str(found.n_events), str(found.n_clusters), str(found.n_labels), *figures]


def _uses_row(uses: Uses) -> list[str]:
    shares = (uses.natural_share, uses.share, uses.coverage, uses.fewest, uses.most)
    sample = uses.effective_sample_size / uses.n_events
    return [uses.source or ALL, str(uses.n_events), *(f"{number:.3f}" for number in (*shares, sample))]


def _by_distance(limits: Sequence[LimitedShare]) -> list[LimitedShare]:
    """Sources and recoveries, then those targets that moved most: there may be thousands."""
    targets = [limit for limit in limits if limit.name.startswith("balance.targets.")]
    furthest = sorted(targets, key=lambda limit: -abs(limit.share - limit.natural_share))[:MOST_TARGETS]
    return [limit for limit in limits if limit not in targets] + furthest


def _limited_row(limit: LimitedShare) -> list[str]:
    numbers = (limit.floor, limit.cap, limit.natural_share, limit.share, limit.multiplier)
    return [limit.name, *(f"{number:.4f}" for number in numbers)]


def _copies(facts: Facts) -> str:
    """What came more than once."""
    copies = facts.copies
    if not (copies.n_left_out or copies.n_recordings or copies.n_across):
        return "none were found"
    return (
        f"{copies.n_left_out} events were left out for better copies; {copies.n_recordings} recordings came under more "
        f"than one name, {copies.n_across} episodes share footage with another source"
    )


def _limits(facts: Facts) -> str:
    """Limits that depend on the data."""
    found = []
    unverified = facts.sync["unverified"]
    if unverified:
        found.append(
            f"- The two clocks could not be verified in {_share(unverified, sum(facts.sync.values()))} episodes."
        )
    null = sum(n for key, n in facts.episodes.items() if key.action_kind == "none")
    if null:
        found.append(
            f"- {_share(null, sum(facts.episodes.values()))} episodes have no actions; their action arrays are empty."
        )
    pseudo = sum(n for key, n in facts.episodes.items() if key.action_kind in ("pseudo", "retargeted"))
    if pseudo:
        found.append(
            f"- {_share(pseudo, sum(facts.episodes.values()))} episodes have estimated, not measured, actions."
        )
    return "\n".join(found)


def _rows(rows: Iterable[list[str]]) -> str:
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines) if lines else f"| {NOTHING} |"


def _cell(text: str) -> str:
    """Text that cannot break out of a table cell."""
    return " ".join(text.split()).replace("|", "\\|")


def _counted(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{_cell(name)} {n}" for name, n in ordered if n) or NOTHING


def _hours(ns: int) -> str:
    """Three significant digits, whether minutes or years."""
    return f"{ns / NS_PER_HOUR:#.3g}".rstrip(".")


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.1f} %)" if whole else "0 of 0"
