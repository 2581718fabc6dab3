"""The header of README.md by which Hugging Face files a data set: licence, sizes, tags, and where each split lies."""

import re
from typing import Any

import yaml

from pipeline.cards.tables import RECORDS
from schemas.data_card import DataCard

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
         (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"),
         (10**10, "1B<n<10B"), (10**11, "10B<n<100B"), (10**12, "100B<n<1T"))  # fmt: skip
KNOWN = (
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0",
    "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0",
    "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "odc-by", "odbl", "pddl", "unlicense",
    "gpl-3.0", "lgpl-3.0",
)  # fmt: skip
"""Those of Hugging Face's own names that recordings come under; what is none of them is ``other`` with its name."""
_README = "README.md"


def front_matter(card: DataCard, facts: dict[str, Any]) -> str:
    """YAML between two rules."""
    header: dict[str, Any] = {
        "pretty_name": " ".join(card.title.split()),
        **_licence(card, facts),
        **({"language": list(card.languages)} if card.languages else {}),
        "task_categories": ["robotics", "video-classification"],
        "tags": _tags(facts),
        "size_categories": [_size(sum(split["n_samples"] for split in facts["splits"].values()))],
        "annotations_creators": _annotators(facts),
        "source_datasets": _origins(facts),
        "configs": _configs(facts),
        "dataset_info": _info(facts),
    }
    if card.people.gate:
        header["extra_gated_prompt"] = card.people.gate.prompt
        header["extra_gated_fields"] = dict(card.people.gate.fields)
    return f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True, width=100)}---\n"


def _licence(card: DataCard, facts: dict[str, Any]) -> dict[str, Any]:
    names = [row["licence"] for row in facts["licences"]["by_licence"]]
    named = card.licence or (names[0] if len(set(names)) == 1 else "")
    known = _slug(named)
    if known in KNOWN:
        return {"license": known}
    link = card.licence_url or _README
    return {"license": "other", "license_name": known or "mixed-see-episodes", "license_link": link}


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.casefold()).strip("-")


def _tags(facts: dict[str, Any]) -> list[str]:
    kinds = {row["kind"] for row in facts["sources"]}
    tags = [
        "webdataset",
        "robotics",
        "temporal-segmentation",
        "subtask-annotation",
        "vision-language-action",
        "croissant",
    ]
    return tags + ["egocentric-video"] * ("egocentric" in kinds) + ["video"] * ("internet" in kinds)


def _size(n_samples: int) -> str:
    return next((name for bound, name in SIZES if n_samples < bound), "n>1T")


def _annotators(facts: dict[str, Any]) -> list[str]:
    levels = facts["levels"].values()
    by = {*facts["annotation"]["captions_by"], *facts["annotation"]["boundaries_by"]}
    by_people = any(name.split()[0] == "human" for name in by)
    reviewed = any(level["n"] > level["n_proposed"] for level in levels)
    return ["machine-generated"] + ["expert-generated"] * (by_people or reviewed)


def _origins(facts: dict[str, Any]) -> list[str]:
    taken = {"internet", "open_robot"}
    kinds = {row["kind"] for row in facts["sources"]}
    return ["original"] * bool(kinds - taken) + ["extended|other"] * bool(kinds & taken) or ["original"]


def _configs(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """The samples first, then each table by its name."""
    samples = [{"split": name, "path": f"{name}-*.tar"} for name in facts["splits"]]
    found: list[dict[str, Any]] = [{"config_name": "default", "default": True, "data_files": samples}]
    found += [{"config_name": name.removesuffix(".parquet"), "data_files": name} for name in RECORDS]
    return found


def _info(facts: dict[str, Any]) -> list[dict[str, Any]]:
    splits = [
        {"name": name, "num_bytes": split["n_bytes"], "num_examples": split["n_samples"]}
        for name, split in facts["splits"].items()
    ]
    total = sum(split["num_bytes"] for split in splits)
    return [{"config_name": "default", "splits": splits, "download_size": total, "dataset_size": total}]
