"""A card as one HTML page that needs nothing but itself: no script, no font, no picture from elsewhere, both themes."""

import re
from collections.abc import Iterator
from html import escape

from pipeline.cards.blocks import Bars, Block, Bullets, Card, Code, Prose, Section, Table, Terms
from schemas.data_card import NOT_STATED

_STYLE = """
:root { color-scheme: light dark;
  --page: light-dark(#f6f7f9, #14171b); --panel: light-dark(#fff, #1b1f25); --line: light-dark(#dfe3e8, #2e343c);
  --text: light-dark(#1d2329, #e3e7ec); --quiet: light-dark(#5a646f, #9aa5b1); --bar: light-dark(#2f6db3, #6ea8e6);
  --code: light-dark(#eef1f4, #252b33); --open: light-dark(#8a4b00, #e0a458) }
* { box-sizing: border-box }
html { scroll-behavior: smooth; scroll-padding-top: 1rem }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif }
.frame { display: grid; grid-template-columns: 13rem minmax(0, 1fr); gap: 2rem; max-width: 90rem; margin: 0 auto;
  padding: 2rem 1.5rem 4rem }
nav { position: sticky; top: 2rem; align-self: start; font-size: .87rem; max-height: calc(100vh - 4rem);
  overflow: auto }
nav a { display: block; padding: .22rem .7rem; color: var(--quiet); text-decoration: none;
  border-left: 2px solid var(--line) }
nav a:hover, nav a:focus-visible { color: var(--text); border-left-color: var(--bar) }
a { color: var(--bar) } :focus-visible { outline: 2px solid var(--bar); outline-offset: 2px }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.01em }
.lead { max-width: 46rem; color: var(--quiet); font-size: 1.05rem; margin: 0 0 1.4rem }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .7rem; margin: 0 0 1.6rem;
  padding: 0 }
.figures div { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem }
.figures dt { font-size: .8rem; color: var(--quiet) }
.figures dd { margin: 0; font-size: 1.45rem; font-weight: 650; font-variant-numeric: tabular-nums; line-height: 1.25 }
.figures div { display: flex; flex-direction: column-reverse; justify-content: flex-end }
section { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: 1.1rem 1.3rem 1.3rem;
  margin: 0 0 1rem }
h2 { font-size: 1.13rem; margin: 0 0 .7rem } p { max-width: 52rem; margin: .7rem 0 }
ul { margin: .5rem 0; padding-left: 1.2rem; max-width: 52rem }
dl.terms { display: grid; grid-template-columns: minmax(9rem, 17rem) minmax(0, 1fr); gap: .3rem 1.4rem;
  margin: .7rem 0 }
dl.terms dt { color: var(--quiet) } dl.terms dd { margin: 0; overflow-wrap: anywhere }
.wide { overflow-x: auto; margin: .9rem 0 } .long { max-height: 24rem; overflow: auto }
table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums }
th, td { padding: .28rem .8rem .28rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line) }
th { font-weight: 600; color: var(--quiet); vertical-align: bottom; background: var(--panel) }
.open { white-space: nowrap }
.long th { position: sticky; top: 0 } td.n, th.n { text-align: right } td.n { white-space: nowrap }
tbody tr:last-child td { border-bottom: 0 }
code { font: .86em ui-monospace, monospace; background: var(--code); border-radius: .25rem; padding: .08em .3em;
  overflow-wrap: anywhere }
pre { background: var(--code); border-radius: .4rem; padding: .8rem 1rem; overflow-x: auto } pre code { padding: 0 }
.open { color: var(--open) }
figure { margin: .9rem 0 } figcaption { color: var(--quiet); font-size: .87rem; margin-bottom: .35rem }
.bars { display: grid; grid-template-columns: max-content minmax(4rem, 24rem) max-content; gap: .2rem .7rem;
  align-items: center; font-size: .87rem; font-variant-numeric: tabular-nums }
.bars i { display: block; height: .62rem; background: var(--bar); border-radius: .15rem }
@media (max-width: 60rem) { .frame { grid-template-columns: minmax(0, 1fr) } nav { display: none }
  dl.terms { grid-template-columns: 1fr } dl.terms dd { margin-bottom: .4rem } }
@media print { nav { display: none } .frame { display: block } section { break-inside: avoid }
  .long { max-height: none } }
"""
_SPANS = re.compile(r"`([^`]*)`")
LONG = 14
"""Rows from which a table scrolls by itself."""


def page(card: Card) -> str:
    """The whole card."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: Card) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(card.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield '<div class="frame">\n<nav aria-label="Sections">'
    yield from (f'<a href="#{_anchor(section)}">{escape(section.title)}</a>' for section in card.sections)
    yield f'</nav>\n<main>\n<h1>{inline(card.title)}</h1>\n<p class="lead">{inline(card.lead)}</p>'
    yield '<dl class="figures">'
    yield from (f"<div><dt>{inline(figure.what)}</dt><dd>{inline(figure.value)}</dd></div>" for figure in card.figures)
    yield "</dl>"
    for section in card.sections:
        yield f'<section id="{_anchor(section)}">\n<h2>{escape(section.title)}</h2>'
        yield from map(_block, section.blocks)
        yield "</section>"
    yield "</main>\n</div>\n</body>\n</html>"


def _anchor(section: Section) -> str:
    return re.sub(r"[^a-z]+", "-", section.title.casefold())


def inline(text: str) -> str:
    """A text in which only backticks mean anything; what nobody stated is marked as such."""
    said = _SPANS.sub(r"<code>\1</code>", escape(" ".join(text.split())))
    return f'<span class="open">{said}</span>' if text in (NOT_STATED, "not measured") else said


def _block(block: Block) -> str:
    match block:
        case Prose(text):
            return f"<p>{inline(text)}</p>"
        case Bullets(items):
            return f"<ul>{''.join(f'<li>{inline(item)}</li>' for item in items)}</ul>"
        case Terms(rows):
            pairs = "".join(f"<dt>{inline(name)}</dt><dd>{inline(said)}</dd>" for name, said in rows)
            return f'<dl class="terms">{pairs}</dl>'
        case Bars():
            return _bars(block)
        case Code(_, text):
            return f'<pre tabindex="0"><code>{escape(text)}</code></pre>'
        case Table():
            return _table(block)


def _bars(of: Bars) -> str:
    most = max((n for _, n, _ in of.rows), default=1)
    rows = "".join(
        f'<span>{inline(name)}</span><i style="width:{100 * n / most:.1f}%"></i><span>{inline(said)}</span>'
        for name, n, said in of.rows
    )
    return f'<figure><figcaption>{inline(of.label)}</figcaption><div class="bars">{rows}</div></figure>'


def _table(of: Table) -> str:
    marks = [' class="n"' if numeric else "" for numeric in of.numeric]
    head = "".join(f'<th scope="col"{mark}>{inline(name)}</th>' for mark, name in zip(marks, of.headings, strict=True))
    rows = of.rows or (("none", *("" for _ in of.columns[1:])),)
    body = "\n".join(
        f"<tr>{''.join(f'<td{mark}>{inline(cell)}</td>' for mark, cell in zip(marks, row, strict=True))}</tr>"
        for row in rows
    )
    long = " long" if len(rows) > LONG else ""
    whole = f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    return f'<div class="wide{long}" tabindex="0">{whole}</div>'
