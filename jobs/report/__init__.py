"""``joinery report``: what a workspace holds, as one page for people and one document for programmes (docs/report.md).

`gather` counts, `figures` draw, `page` writes. What is counted is a value (`gather.Report`); the page is a function of
that value alone, so the figures, their tables and ``report.json`` cannot disagree.
"""
