"""The page docs/sources.md, made from what the readers say of themselves and from the recipe's own types.

    python -m pipeline.sources.page > docs/sources.md

A test holds the page equal to this, so that a format's documentation cannot fall behind its code.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from types import UnionType
from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipeline.sources.facts import FormatFacts
from pipeline.sources.formats import MODULES, format_named
from schemas.recipe_section import Section
from schemas.recipe_source import SourceSection
from schemas.recipe_sources import SourceSpec

_OWN = "schemas.recipe_formats."
_HEAD = """# Sources

What Joinery reads. This page is generated from the readers (`python -m pipeline.sources.page > docs/sources.md`); each
format's file in [`pipeline/sources/`](../pipeline/sources) states polarity, frames, units and rates in one place.

Whatever the format, an episode comes out the same: int64 nanoseconds from the first frame of the master view; tool
centre point in metres and the first two rows of the rotation matrix in a declared frame; opening 0 closed … 1 open;
native joints kept beside; the source's own annotations as spans. A format with no real file here is tested on files
that the tests re-pack from real recordings in the layout its own tools write; "tested on" says which.

The keys all formats share (`name`, `path`, `kind`, `card`, …) stand in [the recipe](recipe.md#sources). How to add a
format: [adding a source](add_a_source.md).
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [_HEAD, "\n".join(_overview()), *("\n".join(_format(name)) for name in sorted(MODULES))]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _overview() -> Iterator[str]:
    yield "| `format` | what | usual kinds | tested on |"
    yield "|---|---|---|---|"
    for name in sorted(MODULES):
        facts = format_named(name).facts
        kinds = ", ".join(f"`{kind}`" for kind in facts.kinds)
        yield f"| [`{name}`](#{name}) | {facts.title} | {kinds} | {facts.tested_on} |"


def _format(name: str) -> Iterator[str]:
    facts = format_named(name).facts
    yield f"## `{name}`"
    yield ""
    yield f"{facts.title}."
    yield ""
    yield "| | |"
    yield "|---|---|"
    for fact in fields(FormatFacts):
        if fact.name not in ("title", "kinds"):
            yield f"| {fact.name.replace('_', ' ')} | {getattr(facts, fact.name)} |"
    keys = own_keys(name)
    if keys:
        yield from _table(keys)
    places: dict[type[Section], list[str]] = {}
    for key, field in keys.items():
        for place, section in _sections_in(key, field):
            places.setdefault(section, []).append(place)
    for section, where in places.items():
        yield ""
        yield f"In {' and '.join(f'`{place}`' for place in where)}:"
        yield from _table(section.model_fields)


def _table(keys: Mapping[str, FieldInfo]) -> Iterator[str]:
    yield ""
    yield "| key | default | meaning |"
    yield "|---|---|---|"
    for key, field in keys.items():
        yield f"| `{key}` | {_default(field)} | {field.description} |"


def _sections_in(place: str, field: FieldInfo) -> Iterator[tuple[str, type[Section]]]:
    """The sections that a key is made of, where only this format has them; others stand in the recipe's page."""
    for kind in _kinds_in(field.annotation):
        if isinstance(kind, type) and issubclass(kind, Section) and kind.__module__.startswith(_OWN):
            yield place, kind
            for key, inner in kind.model_fields.items():
                yield from _sections_in(f"{place}.{key}", inner)


def _kinds_in(annotation: Any) -> Iterator[Any]:
    """A type and what it is made of: ``list[A] | None`` has A."""
    yield annotation
    for part in get_args(annotation):
        yield from _kinds_in(part)


def own_keys(name: str) -> dict[str, FieldInfo]:
    """The recipe keys of a format that it does not share with all others, or describes anew."""
    return {key: field for key, field in sections()[name].model_fields.items() if _is_own(key, field)}


def sections() -> dict[str, type[SourceSection]]:
    """The recipe section of each format by its name."""
    union = get_args(SourceSpec)[0]
    members = get_args(union) if isinstance(union, UnionType) else (union,)
    return {get_args(member.model_fields["format"].annotation)[0]: member for member in members}


def _is_own(key: str, field: FieldInfo) -> bool:
    """Keys only this format has, and common ones it describes anew."""
    common = SourceSection.model_fields.get(key)
    return key != "format" and (common is None or field.description not in (None, common.description))


def _default(field: FieldInfo) -> str:
    default: Any = field.default
    if default is PydanticUndefined:
        return "" if field.default_factory is None else "none"
    return "none" if default is None else str(default).lower() if isinstance(default, bool) else str(default)


if __name__ == "__main__":
    print(page(), end="")
