"""Whether two ways to name a licence may mean the same: SPDX in a card, a site's own words beside a video."""

import re

_VERSION = re.compile(r"(?<![\d.])([1-4])\.0(?!\d)|(?<![\d.])2\.5(?!\d)")
_WORDS = re.compile(r"[a-z0-9]+")
_TERMS = {"by": ("by", "attribution"), "nc": ("nc", "noncommercial"), "nd": ("nd", "noderivs", "noderivatives"),
          "sa": ("sa", "sharealike")}  # fmt: skip
_APART = re.compile(r"(non|no|share)[- ](commercial|deriv|alike)")
_LONGEST = 500


def disagree(one: str, other: str) -> bool:
    """True unless both say the same; a version that only one of them gives is no contradiction."""
    first, second = _meaning(one), _meaning(other)
    if first is None or second is None:
        return " ".join(one.casefold().split()) != " ".join(other.casefold().split())
    versions = {version for _, version in (first, second) if version}
    return first[0] != second[0] or len(versions) > 1


def _meaning(text: str) -> tuple[frozenset[str], str] | None:
    """The terms of a Creative Commons licence and its version; None for any other."""
    lowered = _APART.sub(r"\1\2", text[:_LONGEST].casefold())
    words = _WORDS.findall(lowered)
    if words and ("cc0" in words or "publicdomain" in words or "public domain" in " ".join(words)):
        return frozenset({"cc0"}), ""
    terms = frozenset(term for term, names in _TERMS.items() if any(name in words for name in names))
    is_cc = "cc" in words or "creativecommons" in words or "creative" in words or set(words) <= {"by", "nc", "nd", "sa"}
    if "by" not in terms or not is_cc:
        return None
    version = _VERSION.search(lowered)
    return terms, version.group() if version else ""
