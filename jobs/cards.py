"""``joinery card``: the card of a shard set as the recipe's ``card.yaml`` would have it, and whether a card is true."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.blobs import Blobs, is_local
from pipeline.cards.check import card_problems
from pipeline.cards.croissant_check import croissant_problems, is_installed
from pipeline.cards.folder import CARD_SOURCE, PAGE, set_files
from pipeline.cards.papers import card_text, papers
from pipeline.errors import JoineryError
from pipeline.loader.reader import shard_set_folder
from schemas.data_card import DataCard


@dataclass(frozen=True)
class BuiltCard:
    """What was written, and what nobody has stated yet."""

    shard_set: str
    files: tuple[str, ...]
    page: str
    not_stated: tuple[str, ...]
    """Keys of the card."""


@dataclass(frozen=True)
class CardReport:
    """What is wrong with a card."""

    shard_set: str
    asked_mlcroissant: bool
    problems: tuple[str, ...]


def build_card(blobs: Blobs, shard_set_path: str, card: DataCard, out: Path) -> BuiltCard:
    """Write the card of a published set into a folder of its own; the set stays as it is until the next run."""
    if (out / "set.json").exists():
        raise JoineryError(f"{out}: is a shard set, whose files are sealed; name another folder for --out")
    texts = {CARD_SOURCE: card_text(card), **papers(set_files(blobs, shard_set_path), card)}
    target = Blobs(str(out.absolute()))
    for name, text in texts.items():
        target.put_bytes(name, text.encode())
    files = tuple(str(out / name) for name in sorted(texts))
    return BuiltCard(shard_set_path.rpartition("/")[2], files, str(out / PAGE), tuple(not_stated(card)))


def not_stated(card: DataCard) -> list[str]:
    """The keys of a card that are as they would be without it."""
    stated, found = card.model_dump(exclude_defaults=True), []
    for name, field in type(card).model_fields.items():
        value = getattr(card, name)
        below = getattr(type(value), "model_fields", None)
        if below is None:
            found += [name] if name not in stated and name != "card" else []
        elif field.annotation is not None:
            found += [f"{name}.{key}" for key in below if key not in stated.get(name, {})]
    return found


def validate_card(shards: str, storage: dict[str, str]) -> CardReport:
    """Everything wrong with the card of a set: our own check, and mlcroissant's where it is here and the set local."""
    there = shard_set_folder(shards, storage)
    parent, _, name = there.url.rpartition("/")
    problems = list(card_problems(Blobs(parent, there.storage), name))
    asked = is_installed() and is_local(there.url)
    if asked:
        problems += croissant_problems(Path(there.url.removeprefix("file://")))
    return CardReport(name, asked, tuple(problems))
