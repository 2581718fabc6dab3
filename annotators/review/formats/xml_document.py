"""XML as ELAN and CVAT write it: read without entities, which could make a small file fill the memory."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from annotators.review.formats.row import FormatError


def root_of(raw: bytes, file: str) -> ET.Element:
    """The root element. Raises FormatError for what is no XML, or declares a document type."""
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise FormatError(file, "document", "a document type", "none: neither ELAN nor CVAT writes one")
    try:
        return ET.fromstring(raw)  # noqa: S314 - entities need a document type, which is refused above
    except ET.ParseError as error:
        raise FormatError(file, "document", str(error), "XML") from error


def text_of(root: ET.Element) -> bytes:
    """The whole file, indented."""
    ET.indent(root)
    written: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{written}\n'.encode()
