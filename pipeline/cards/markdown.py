"""A card as Markdown, for Hugging Face and code hosts: names from sources can break neither table nor page."""

import re

from pipeline.cards.blocks import Bars, Block, Bullets, Card, Code, Prose, Table, Terms

_SPANS = re.compile(r"(`[^`]*`)")
_SPECIAL = re.compile(r"([\\*_\[\]<>|#~])")
_WORD_UNDERSCORE = re.compile(r"(?<=\w)\\_(?=\w)")


def markdown(card: Card) -> str:
    """The card below its front matter."""
    parts = [f"# {inline(card.title)}", inline(card.lead)]
    parts.append("\n".join(f"- **{inline(figure.value)}** {inline(figure.what)}" for figure in card.figures))
    for section in card.sections:
        parts.append(f"## {inline(section.title)}")
        parts += [_block(block) for block in section.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def inline(text: str) -> str:
    """A text on one line in which only backticks mean anything."""
    parts = _SPANS.split(" ".join(text.split()))
    return "".join(
        part.replace("|", "\\|") if i % 2 else _WORD_UNDERSCORE.sub("_", _SPECIAL.sub(r"\\\1", part))
        for i, part in enumerate(parts)
    )


def _block(block: Block) -> str:
    match block:
        case Prose(text):
            return inline(text)
        case Bullets(items):
            return "\n".join(f"- {inline(item)}" for item in items)
        case Terms(rows):
            return "\n".join(f"- **{inline(name)}**: {inline(said)}" for name, said in rows)
        case Bars(label, rows):
            return _table(Table((label, "#"), tuple((name, said) for name, _, said in rows)))
        case Code(language, text):
            return f"```{language}\n{text}```"
        case Table():
            return _table(block)


def _table(of: Table) -> str:
    rule = "|".join("---:" if numeric else "---" for numeric in of.numeric)
    rows = of.rows or (("none", *("" for _ in of.columns[1:])),)
    return "\n".join((_row(of.headings), f"|{rule}|", *map(_row, rows)))


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(inline, cells))} |"
