"""Finding an episode in bytes: by the hex digits of ids and digests, by names, and by the digests of its pictures.

Ids and digests are runs of hex digits, so one regular expression finds the candidates of any number of them; a sample's
key has an event's digits without its prefix, and they are found there too. A name counts only where it stands alone:
``episode_index=3`` is not in ``episode_index=30``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from schemas.takedown import Terms

ID_DIGITS = 32
_RUN = re.compile(rb"[0-9a-f]{%d,}" % ID_DIGITS)
_WORD = rb"[0-9A-Za-z_]"
CHUNK = 8 << 20


class Search:
    """Looks for one set of terms. Holds what they were compiled to."""

    def __init__(self, terms: Terms) -> None:
        self._ids = {digits[:ID_DIGITS].encode(): what for digits, what in terms.ids.items()}
        self._contents = terms.contents
        forms = {form: what for text, what in terms.texts.items() for form in forms_of(text)}
        self._texts = dict(sorted(forms.items(), reverse=True))
        self._text = re.compile(b"|".join(map(_alone, self._texts))) if self._texts else None
        longest = max((len(form) for form in self._texts), default=0)
        self.overlap = max(longest + 2, 4 * ID_DIGITS)
        """Bytes that two pieces of one stream must share so that nothing between them is missed."""

    def in_bytes(self, data: bytes) -> Iterator[str]:
        """What is found in a piece, each kind as often as it is there."""
        for run in _RUN.finditer(data):
            digits = run.group()
            for at in range(len(digits) - ID_DIGITS + 1):
                what = self._ids.get(digits[at : at + ID_DIGITS])
                if what is not None:
                    yield what
        if self._text is not None:
            yield from (self._texts[match.group()] for match in self._text.finditer(data))

    def in_stream(self, stream: BinaryIO, size: list[int]) -> Iterator[str]:
        """What is found in a file as it lies there; its digest is compared too. ``size`` gets the bytes read added."""
        hasher, before = hashlib.sha256(), b""
        while chunk := stream.read(CHUNK):
            hasher.update(chunk)
            size[0] += len(chunk)
            yield from self.in_bytes(before + chunk)
            before = chunk[-self.overlap :]
        yield from self._known(hasher.hexdigest())

    def in_value(self, value: bytes) -> Iterator[str]:
        """What is found in a whole value: a member of an archive, a cell of a table."""
        yield from self.in_bytes(value)
        if self._contents:
            yield from self._known(hashlib.sha256(value).hexdigest())

    def _known(self, sha256: str) -> Iterator[str]:
        if sha256 in self._contents:
            yield self._contents[sha256]


def forms_of(text: str) -> Iterator[bytes]:
    """A name as it stands in text and in JSON, which may escape what is not ASCII."""
    for form in (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        yield form.encode()


def _alone(form: bytes) -> bytes:
    before = rb"(?<!" + _WORD + rb")" if re.match(_WORD, form[:1]) else b""
    after = rb"(?!" + _WORD + rb")" if re.match(_WORD, form[-1:]) else b""
    return before + re.escape(form) + after
