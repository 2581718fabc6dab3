"""The sections of a card that are counted: nothing here is anybody's opinion."""

from typing import Any

from pipeline.cards.blocks import Bars, Block, Code, Prose, Section, Terms, table
from pipeline.cards.words import NOTHING, hours, listed, number, plural, rate, seconds, share, size, stated
from schemas.data_card import DataCard

Facts = dict[str, Any]
MOST_TARGETS = 10
LARGEST_ROWS = 200
"""Of sources with many data sets the card shows the first; the tables have them all."""


def composition(facts: Facts) -> Section:
    """How much there is, of what length, and that splits are apart."""
    splits = [
        (
            name,
            number(split["n_samples"]),
            number(split["n_events"]),
            number(split["n_episodes"]),
            hours(split["duration_ns"]),
            str(split["n_shards"]),
            size(split["n_bytes"]),
        )
        for name, split in facts["splits"].items()
    ]
    levels = [
        (
            name,
            number(level["n"]),
            hours(level["duration_ns"]),
            seconds(level["duration_ns"] // level["n"]) if level["n"] else NOTHING,
            *(
                seconds(level["length_ns"][key]) if level["n"] else NOTHING
                for key in ("p5", "p25", "p50", "p75", "p95")
            ),
        )
        for name, level in facts["levels"].items()
    ]
    apart, left = facts["splits_apart"], facts["left_out"]
    shared = apart["n_episodes_shared"] + apart["n_events_shared"]
    held = "none" if not shared else f"{apart['n_episodes_shared']} episodes and {apart['n_events_shared']} events"
    blocks: list[Block] = [
        table("split | samples# | distinct events# | episodes# | hours# | shards# | size#", splits),
        Prose(
            "`train` is the balanced epoch, in drawing order. `reserve` holds training events the epoch "
            "had no room for. "
            "What is held out (`validation`, `test`) keeps its natural mix."
        ),
        table("level | events# | hours# | mean s# | 5 %# | 25 %# | median# | 75 %# | 95 %#", levels),
        Prose(f"Samples are events of level `{facts['balance']['level']}`; the others are their context."),
        Terms(
            (
                ("Shared between training and what is held out", held),
                ("Events left out for better copies", rate(left["near_duplicates"], "none to compare")),
                (
                    "Recordings that came twice",
                    f"{plural(left['n_recordings_twice'], 'recording')} under more than one name, "
                    f"{plural(left['n_across_sources'], 'episode')} shared with another source",
                ),
                ("Left out by licence", _withheld(facts)),
                *_taken_out(facts["n_taken_out"]),
            )
        ),
    ]
    return Section("Composition", tuple(blocks))


def _withheld(facts: Facts) -> str:
    groups = [row for row in facts["left_out"]["groups"] if row["reason"] == "licence"]
    return listed(
        f"{plural(row['n_events'], 'event')} of {plural(row['n_episodes'], 'episode')} of {row['source']} "
        f"({row['licence']})"
        for row in groups
    )


def _taken_out(n_samples: int) -> list[tuple[str, str]]:
    """Of a set that nothing was taken out of nothing is said."""
    if not n_samples:
        return []
    said = (
        f"{plural(n_samples, 'sample')}, and all that was said of their recordings. The plan under Balance is that of "
        "the set as it was made; everything else is counted without them"
    )
    return [("Taken down since it was made", said)]


def words(facts: Facts, card: DataCard) -> Section:
    """What events are called, the long tail, and the gaps."""
    found = facts["vocabulary"]
    verbs, objects, captions = found["verbs"], found["objects"], found["captions"]
    balance = facts["balance"]
    possible = balance["n_looks"] * max(1, balance["n_motions"])
    rows = [
        (
            name,
            number(counted["n_distinct"]),
            f"{100 * counted['top_share']:.1f} %",
            f"{counted['gini']:.3f}",
            number(counted["n_rare"]),
        )
        for name, counted in (("verbs", verbs), ("objects", objects))
    ]
    return Section(
        "Words",
        (
            Bars(
                f"Verbs of level {found['level']}",
                tuple((row["word"], row["n"], number(row["n"])) for row in verbs["top"]),
            ),
            table("words | different# | share of the 10 most frequent# | Gini# | with fewer than 10 events#", rows),
            Terms(
                (
                    ("Objects", listed(f"{row['word']} {number(row['n'])}" for row in objects["top"])),
                    ("Language of captions", stated(card.languages)),
                    ("Different captions", share(captions["n_distinct"], captions["n"])),
                    ("Verbs of the vocabulary that never occur", listed(verbs["never"], 60)),
                    (
                        "Combinations of look and motion that occur",
                        f"{number(balance['n_cells'])} of about {number(possible)}",
                    ),
                )
            ),
        ),
    )


def provenance(facts: Facts) -> Section:
    """Where everything comes from."""
    rows = [
        (
            row["source"],
            row["kind"],
            row["dataset"],
            row["embodiment"],
            row["action_kind"],
            row["consent"],
            number(row["n_episodes"]),
            hours(row["duration_ns"]),
            number(row["n_samples"]),
        )
        for row in facts["sources"][:LARGEST_ROWS]
    ]
    return Section(
        "Sources",
        (
            table("source | kind | data set | embodiment | actions | consent | episodes# | hours# | samples#", rows),
            Prose(
                "`episodes.parquet` says of every episode which recording of which source it is, under "
                "which licence and with "
                "which consent; `event.json` of every sample repeats it. `sources.parquet` has homepages, "
                "citations and "
                "contacts. `recipe.yaml` is the whole chain of what was done to them; `content_sha256` "
                "and `set.json` seal "
                "the outcome."
            ),
        ),
    )


def licences(facts: Facts, card: DataCard) -> Section:
    """What may be done with it."""
    rows = [
        (
            row["licence"],
            row["redistribution"].replace("_", " "),
            number(row["n_episodes"]),
            hours(row["duration_ns"]),
            number(row["n_samples"]),
        )
        for row in facts["licences"]["by_licence"]
    ]
    strictest = [
        (row["question"], row["answer"].replace("_", " "), listed(row["because_of"]) if row["because_of"] else NOTHING)
        for row in facts["licences"]["strictest"]
    ]
    whole = card.licence or "none of its own: each episode keeps that of its source"
    return Section(
        "Licences and terms",
        (
            Terms((("Licence of the set as a whole", whole), ("Text", stated(card.licence_url)))),
            table("licence of episodes | redistribution | episodes# | hours# | samples#", rows),
            Prose(
                "Where licences differ, the sample's own counts: column `licence` of `episodes.parquet` "
                "and `manifest.parquet`. "
                "Who uses everything together is bound by the strictest of them, as far as their names and cards say:"
            ),
            table("over all sources | strictest | because of", strictest),
        ),
    )


def balance(facts: Facts) -> Section:
    """How training was evened out, with the proof."""
    found = facts["balance"]
    spreads = [
        (
            spread["source"] or "all",
            spread["axis"].replace("_", " "),
            when,
            str(spread["n_bins"]),
            f"{spread['n_effective']:.3f}",
            f"{spread['n_effective'] / spread['n_bins'] if spread['n_bins'] else 0:.3f}",
            f"{spread['gini']:.3f}",
            f"{spread['max_over_min']:.3f}",
        )
        for pair in zip(found["before"], found["after"], strict=True)
        for when, spread in zip(("before", "after"), pair, strict=True)
    ]
    uses = [
        (
            row["source"] or "all",
            number(row["n_events"]),
            *(f"{row[key]:.3f}" for key in ("natural_share", "share", "coverage", "fewest", "most")),
            f"{row['effective_sample_size'] / row['n_events'] if row['n_events'] else 0:.3f}",
        )
        for row in found["uses"]
    ]
    blocks: list[Block] = [
        Terms(
            (
                ("Plan", f"`{found['plan_id']}`, by {found['method']}, shares of {found['unit']}s"),
                ("Proof", f"KKT residual {found['kkt_residual']:.1e}"),
                (
                    "Effective sample size",
                    f"{found['effective_sample_size']:.1f} of {plural(found['n_events'], 'training event')}",
                ),
                ("Most uses of one event per epoch", f"{found['max_uses']:.2f}"),
                (
                    "At the end of training as written",
                    f"rows off by at most {found['max_row_deviation']:.3f} draws, cells by at most "
                    f"{found['max_cell_deviation']:.3f}",
                ),
            )
        ),
        table("source | axis | | bins# | effective bins# | effective / bins# | Gini# | max / min#", spreads),
        table(
            "source | training events# | share before# | after# | coverage# | fewest uses# | most# | "
            "effective / events#",
            uses,
        ),
    ]
    if found["limits"]:
        limits = [
            (row["name"], *(f"{row[key]:.4f}" for key in ("floor", "cap", "natural_share", "share", "multiplier")))
            for row in _by_distance(found["limits"])
        ]
        blocks.append(table("limit of the recipe | floor# | cap# | share before# | after# | multiplier#", limits))
    blocks.append(
        table(
            "cells from | embedding | clusters# | seed ARI# | smallest# | fitted on#",
            [
                (
                    row["space"].replace("_", " "),
                    f"`{row['embedding_model']}`",
                    str(row["n_clusters"]),
                    NOTHING if row["seed_ari"] is None else f"{row['seed_ari']:.2f}",
                    number(row["smallest_cluster"]),
                    number(row["n_fitted"]),
                )
                for row in found["clusterings"]
            ],
        )
    )
    blocks.append(
        table(
            "clusters against verbs | events# | clusters used# | verbs# | NMI# | purity# | ARI#",
            [
                (
                    row["space"].replace("_", " "),
                    number(row["n_events"]),
                    str(row["n_clusters"]),
                    str(row["n_labels"]),
                    *(f"{row[key]:.2f}" if row["n_events"] else NOTHING for key in ("nmi", "purity", "ari")),
                )
                for row in facts["agreement_with_verbs"]
            ],
        )
    )
    return Section("Balance", tuple(blocks))


def _by_distance(limits: list[Facts]) -> list[Facts]:
    """Sources and recoveries, then those targets that moved most: there may be thousands."""
    targets = [limit for limit in limits if limit["name"].startswith("balance.targets.")]
    furthest = sorted(targets, key=lambda limit: -abs(limit["share"] - limit["natural_share"]))[:MOST_TARGETS]
    return [limit for limit in limits if limit not in targets] + furthest


def checks(facts: Facts) -> Section:
    """What cleaning and comparing found."""
    rows = [(row["stage"], f"`{row['check']}`", row["verdict"], number(row["n"])) for row in facts["findings"]]
    sync = [
        (
            row["verdict"].replace("_", " "),
            number(row["n_episodes"]),
            f"{row['median_offset_ns'] / 1e6:.0f}",
            f"{row['largest_offset_ns'] / 1e6:.0f}",
        )
        for row in facts["sync"]
    ]
    return Section(
        "What checks found",
        (
            table("video and action clocks | episodes# | median shift, ms# | largest, ms#", sync),
            table("stage | check | verdict | findings#", rows),
            Prose("Findings of the whole corpus, also about episodes that are not in the set: `findings.parquet`."),
        ),
    )


def reading(facts: Facts) -> Section:
    """The few lines that read it."""
    train = facts["splits"].get("train", {}).get("n_shards", 1)
    listing = (
        "import webdataset as wds\n\n"
        f'urls = "train-{{000000..{max(train - 1, 0):06d}}}.tar"\n'
        "dataset = wds.WebDataset(urls, shardshuffle=False).decode()\n"
        "for sample in dataset:\n"
        '    print(sample["__key__"], sample["event.json"]["captions"], sample["action.npz"]["values"].shape)\n'
    )
    return Section(
        "Reading it",
        (
            Prose("Any WebDataset reader will do; the order is already balanced, so do not shuffle shards:"),
            Code("python", listing),
            Prose(
                "`pipeline.loader.reader.ShardSet` adds random access, exact resume and any number of "
                "ranks. Members of a "
                "sample, units and frames are described in Joinery's shard contract. `stats.json` holds "
                "normalisation per "
                "embodiment, `plan.json` the plan, `croissant.json` every table and tar for tools, "
                "`set.json` the SHA-256 of "
                "everything; `joinery verify` counts every number of this card again."
            ),
        ),
    )
