"""ELAN's ``.eaf``: a tier per level, with the words; below each, tiers for verb, objects, arm and state.

ELAN counts whole milliseconds. A frame's edge is written as the nearest one and read back as the nearest edge, so
pictures at least 2 ms apart (500 a second) come back exactly; an edge in ELAN is off by at most half a millisecond. The
first five pictures at 25 a second are 0 to 200. A tier holds one annotation at a time, and so do our levels.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence

from annotators.review.formats.row import (
    FormatError,
    Recording,
    Row,
    arm_in,
    checked,
    objects_in,
    objects_out,
    state_in,
    verb_in,
    whole_in,
)
from annotators.review.formats.xml_document import root_of, text_of
from schemas.event import Level
from schemas.time import NS_PER_S

SUFFIX = ".eaf"
SLOTS = ("verb", "objects", "arm", "state")
_NS_PER_MS = NS_PER_S // 1000
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_ASSOCIATION = "Symbolic_Association"


def written(rows: Sequence[Row], recording: Recording) -> bytes:
    """The whole file."""
    root = ET.Element("ANNOTATION_DOCUMENT", {
        "AUTHOR": "", "DATE": "1970-01-01T00:00:00+00:00", "FORMAT": "3.0", "VERSION": "3.0",
        "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance", "xsi:noNamespaceSchemaLocation": _SCHEMA,
    })  # fmt: skip
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    ET.SubElement(header, "MEDIA_DESCRIPTOR", {"MEDIA_URL": recording.video, "MIME_TYPE": "video/mp4"})
    edges = sorted({frame for row in rows for frame in (row.frame_start, row.frame_end)})
    order = ET.SubElement(root, "TIME_ORDER")
    for number, frame in enumerate(edges, 1):
        value = str(_ms(recording.clock.edge_ns(frame)))
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": f"ts{number}", "TIME_VALUE": value})
    slot_of = {frame: f"ts{number}" for number, frame in enumerate(edges, 1)}
    number = 0
    for level in Level:
        at_level = [row for row in rows if row.level is level]
        tier = ET.SubElement(root, "TIER", {"LINGUISTIC_TYPE_REF": "event", "TIER_ID": str(level)})
        slots = {
            name: ET.SubElement(
                root, "TIER", {"LINGUISTIC_TYPE_REF": "slot", "PARENT_REF": str(level), "TIER_ID": f"{level}.{name}"}
            )
            for name in SLOTS
        }
        for row in at_level:
            number += 1
            name = f"a{number}"
            times = {"TIME_SLOT_REF1": slot_of[row.frame_start], "TIME_SLOT_REF2": slot_of[row.frame_end]}
            _annotate(tier, "ALIGNABLE_ANNOTATION", {"ANNOTATION_ID": name, **times}, row.caption)
            for slot, text in zip(SLOTS, _texts(row), strict=True):
                if text:
                    number += 1
                    about = {"ANNOTATION_ID": f"a{number}", "ANNOTATION_REF": name}
                    _annotate(slots[slot], "REF_ANNOTATION", about, text)
    kind = {"GRAPHIC_REFERENCES": "false"}
    ET.SubElement(root, "LINGUISTIC_TYPE", {**kind, "LINGUISTIC_TYPE_ID": "event", "TIME_ALIGNABLE": "true"})
    below = {**kind, "CONSTRAINTS": _ASSOCIATION, "LINGUISTIC_TYPE_ID": "slot", "TIME_ALIGNABLE": "false"}
    ET.SubElement(root, "LINGUISTIC_TYPE", below)
    ET.SubElement(root, "CONSTRAINT", {"DESCRIPTION": "1-1 association with a parent annotation",
                                       "STEREOTYPE": _ASSOCIATION})  # fmt: skip
    return text_of(root)


def read(raw: bytes, recording: Recording, file: str) -> list[Row]:
    """The events of the tiers named as levels; other tiers are passed over. Raises FormatError."""
    return checked(_rows(raw, recording, file), len(recording.clock), file)


def _rows(raw: bytes, recording: Recording, file: str) -> Iterator[tuple[str, Row]]:
    root = root_of(raw, file)
    slots = {slot.get("TIME_SLOT_ID", ""): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    tiers = {tier.get("TIER_ID", ""): tier for tier in root.iter("TIER")}
    if not tiers.keys() & set(Level):
        raise FormatError(file, "document", sorted(tiers), f"a tier named {' or '.join(Level)}")
    for level in Level:
        said = {name: _said_of(tiers.get(f"{level}.{name}")) for name in SLOTS}
        for one in tiers[level].iter("ALIGNABLE_ANNOTATION") if level in tiers else ():
            name = one.get("ANNOTATION_ID", "")
            where = f"tier {level}, annotation {name}"
            first, last = (
                _frame(slots.get(one.get(key, "")), recording, file, where)
                for key in ("TIME_SLOT_REF1", "TIME_SLOT_REF2")
            )
            verb, objects, arm, state = (said[slot].get(name, "") for slot in SLOTS)
            yield (
                where,
                Row(
                    level,
                    first,
                    last,
                    caption=one.findtext("ANNOTATION_VALUE") or "",
                    verb=verb_in(file, where, verb),
                    objects=objects_in(objects),
                    arm=arm_in(file, where, arm),
                    state=state_in(file, where, state),
                ),
            )


def _frame(milliseconds: str | None, recording: Recording, file: str, where: str) -> int:
    if milliseconds is None:
        raise FormatError(file, where, milliseconds, "time slots with a time")
    return recording.frame_at(whole_in(file, where, milliseconds) * _NS_PER_MS)


def _said_of(tier: ET.Element | None) -> dict[str, str]:
    """Annotation id → what a tier says of it."""
    found = () if tier is None else tier.iter("REF_ANNOTATION")
    return {one.get("ANNOTATION_REF", ""): one.findtext("ANNOTATION_VALUE") or "" for one in found}


def _annotate(tier: ET.Element, kind: str, about: dict[str, str], text: str) -> None:
    annotation = ET.SubElement(ET.SubElement(tier, "ANNOTATION"), kind, about)
    ET.SubElement(annotation, "ANNOTATION_VALUE").text = text


def _texts(row: Row) -> tuple[str, ...]:
    return str(row.verb or ""), objects_out(row.objects), str(row.arm or ""), str(row.state)


def _ms(t_ns: int) -> int:
    return (t_ns + _NS_PER_MS // 2) // _NS_PER_MS
