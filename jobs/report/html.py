"""Pieces of a page. Plain strings are data and are escaped; `Html` is markup of ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def safe(said: str) -> Html:
    """Data as markup."""
    return said if isinstance(said, Html) else Html(escape(said, quote=True))


def join(parts: Iterable[str]) -> Html:
    """Pieces one after the other."""
    return Html("".join(safe(part) for part in parts))


def tag(name: str, *parts: str, style: str = "", **attributes: str) -> Html:
    """An element; attributes are escaped, a trailing underscore of their names is cut."""
    given = {"class": style} if style else {}
    given |= {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    said = "".join(f" {key}='{escape(value, quote=True)}'" for key, value in given.items())
    return Html(f"<{name}{said}>{join(parts)}</{name}>")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], words: Iterable[int] = (0,), style: str = "") -> Html:
    """Columns are numbers, right-aligned, but for those in ``words``."""
    left = set(words)
    column = [" class='w'" if i in left else "" for i in range(len(head))]
    top = "".join(f"<th scope='col'{column[i]}>{safe(name)}</th>" for i, name in enumerate(head))
    body = "".join(
        "<tr>" + "".join(f"<td{column[i]}>{safe(cell)}</td>" for i, cell in enumerate(row)) + "</tr>" for row in rows
    )
    of = f" class='{style}'" if style else ""
    return Html(f"<div class='scroll'><table{of}><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>")


def figure(drawn: str, caption: str, beside: str, *, summary: str = "Table", legend: str = "") -> Html:
    """A drawing with what it shows, and its numbers as a table to open."""
    told = tag("figcaption", caption)
    opened = tag("details", tag("summary", summary), beside)
    return tag("figure", told, legend, tag("div", Html(drawn), style="drawn"), opened)


def legend(items: Iterable[tuple[str, str]]) -> Html:
    """(class of the swatch, name)."""
    return tag(
        "p", *(join([tag("span", tag("i", style=f"swatch {style}"), name)]) for style, name in items), style="legend"
    )


def missing(said: str, command: str) -> Html:
    """A part that is not there, and what makes it."""
    return tag("p", said, " ", tag("code", command), style="missing")


def stat(value: str, name: str, note: str = "") -> Html:
    """A number to read first."""
    more = [tag("small", note)] if note else []
    return tag("div", tag("b", value), tag("span", name), *more, style="stat")


def remark(*parts: str) -> Html:
    """A remark in smaller letters."""
    return tag("p", *parts, style="note")


def slug(said: str) -> str:
    """A name that can be an anchor."""
    return "".join(letter if letter.isalnum() else "-" for letter in said.lower()).strip("-")
