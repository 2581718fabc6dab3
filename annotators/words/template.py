"""The template language of captions: a text file of ``name = text`` lines with slots and optional parts.

Text files rather than code, so that wording can be changed, translated and reviewed by people who do not program, and
so that the digest of the file says exactly which wording made a caption. The grammar is explained in the file itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from string import Formatter
from types import MappingProxyType

from schemas.identity import digest

SLOTS = frozenset({"instruction", "object", "destination", "arm", "direction", "verb", "seconds", "caption"})
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True)
class Templates:
    """One parsed template file."""

    version: int
    phrases: Mapping[str, str]
    digest: str
    """Of the file's text, comments included: what is reviewed is what is hashed."""

    def find(self, *names: str) -> str:
        """The text of the first name there is; KeyError listing the names when there is none."""
        for name in names:
            if name in self.phrases:
                return self.phrases[name]
        raise KeyError(f"no caption template for any of {list(names)}")


def load_templates(language: str) -> Templates:
    """The templates of a language. Raises FileNotFoundError for a language without a file, ValueError for a bad one."""
    name = f"{language}.txt"
    text = resources.files("annotators.words.templates").joinpath(name).read_text(encoding="utf-8")
    return parse_templates(text, name)


def parse_templates(text: str, name: str) -> Templates:
    """A template file's text as `Templates`. Raises ValueError naming the file and the line that is wrong."""
    phrases: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        key, equals, phrase = (part.strip() for part in line.partition("="))
        if not equals or not phrase:
            raise ValueError(f"{name}:{number}: found {line!r}, expected 'name = text'")
        if key in phrases:
            raise ValueError(f"{name}:{number}: {key!r} is given twice; keep one")
        unknown = sorted(slots_of(phrase) - SLOTS)
        if unknown:
            raise ValueError(f"{name}:{number}: unknown slot {unknown[0]!r}; the slots are {sorted(SLOTS)}")
        phrases[key] = phrase
    version = phrases.pop("version", "")
    if not version.isdigit():
        raise ValueError(f"{name}: found version {version!r}, expected a line 'version = <number>'")
    return Templates(int(version), MappingProxyType(phrases), digest(text))


def slots_of(phrase: str) -> set[str]:
    """Names of the slots a phrase uses, optional ones included."""
    return {field for _, field, _, _ in Formatter().parse(phrase) if field}


def render(phrase: str, slots: Mapping[str, str]) -> str:
    """The phrase with its slots filled: optional parts with an empty slot vanish, first letter upper, single spaces.

    Raises KeyError for a slot without a value and ValueError for an empty one outside brackets.
    """

    def optional(part: re.Match[str]) -> str:
        return part[1] if all(slots[name] for name in slots_of(part[1])) else ""

    chosen = _OPTIONAL.sub(optional, phrase)
    empty = sorted(name for name in slots_of(chosen) if not slots[name])
    if empty:
        raise ValueError(f"{phrase!r}: slot {empty[0]!r} is empty and not in brackets")
    filled = " ".join(chosen.format_map(slots).split())
    return filled[:1].upper() + filled[1:]
