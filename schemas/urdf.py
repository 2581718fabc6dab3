"""Reading a URDF: the chain of joints between two links, and nothing else of the file.

The text is data from elsewhere. It is read with the standard library's parser; document types, the only door to
entities and outside files, are refused, meshes are never looked at, and every number must be finite. What is
missing or contradicts itself is an error that names the links or joints there are: a chain that is guessed gives
poses that look right.
"""

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from pathlib import Path

from schemas.recipe_problems import closest
from schemas.robot_chain import MAX_JOINTS, Chain, ChainJoint, JointMotion, Placement

MAX_BYTES = 8 << 20
"""Ten times the largest description of a humanoid; meshes are other files."""
_LARGEST = 1e6
"""Larger numbers are no lengths or angles and would only overflow later; NaN is not smaller either."""
_MOST_NAMED = 12
"""So many names stand in a message."""


class UrdfError(Exception):
    """A robot description that cannot be used; the message says what was found, what was expected, what to do."""


def read_chain(path: Path, base_link: str | None, tip_link: str) -> Chain:
    """The chain in a URDF file. Raises UrdfError, also when the file cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise UrdfError(f"{path}: cannot be read ({error.strerror}); name a URDF file") from error
    except (UnicodeDecodeError, ValueError) as error:
        raise UrdfError(f"{path}: is no UTF-8 text ({error}); name a URDF file") from error
    if len(data) > MAX_BYTES:
        raise UrdfError(f"{path}: larger than {MAX_BYTES >> 20} MiB, expected a URDF; meshes belong into other files")
    try:
        return chain_of(text, base_link, tip_link)
    except UrdfError as error:
        raise UrdfError(f"{path}: {error}") from error


def chain_of(text: str, base_link: str | None, tip_link: str) -> Chain:
    """The chain from ``base_link`` (None: the robot's root) to ``tip_link`` of a URDF text. Raises UrdfError."""
    robot = _robot(text)
    links = [_name(link, "link") for link in robot.iterfind("link")]
    above: dict[str, ET.Element] = {}
    for joint in robot.iterfind("joint"):
        child = _link_of(joint, "child")
        if child in above:
            raise UrdfError(f"link '{child}' hangs on two joints, expected a tree; correct the file")
        above[child] = joint
    base = _root(links, above) if base_link is None else base_link
    for key, link in (("base_link", base), ("tip_link", tip_link)):
        if link not in links:
            raise UrdfError(f"{key}: no link '{link}'; {_advice(link, links)}")
    joints = _path(above, base, tip_link)
    if not any(joint.motion is not JointMotion.FIXED for joint in joints):
        raise UrdfError(f"nothing moves between '{base}' and '{tip_link}'; name links on both sides of the arm")
    return Chain(robot=robot.get("name", ""), base=base, tip=tip_link, joints=tuple(joints))


def _robot(text: str) -> ET.Element:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UrdfError("has a document type or entities, which no robot needs; remove them")
    if "<xacro:" in text:
        raise UrdfError("is a xacro, expected the URDF made of it; run `xacro file.xacro > file.urdf`")
    try:
        root = ET.fromstring(text)  # noqa: S314 - entities are refused above, the size by `read_chain`
    except (ET.ParseError, ValueError) as error:
        raise UrdfError(f"is no XML ({error}); name a URDF file") from error
    if root.tag != "robot":
        raise UrdfError(f"starts with <{root.tag}>, expected <robot>; name a URDF file")
    return root


def _name(element: ET.Element, kind: str) -> str:
    name = element.get("name")
    if not name:
        raise UrdfError(f"a {kind} has no name; correct the file")
    return name


def _link_of(joint: ET.Element, end: str) -> str:
    element = joint.find(end)
    link = None if element is None else element.get("link")
    if not link:
        raise UrdfError(f"joint '{_name(joint, 'joint')}' names no {end} link; correct the file")
    return link


def _root(links: Iterable[str], above: Mapping[str, ET.Element]) -> str:
    roots = [link for link in links if link not in above]
    if len(roots) != 1:
        raise UrdfError(f"has {len(roots)} root links ({_listed(roots)}), expected one; name base_link")
    return roots[0]


def _path(above: Mapping[str, ET.Element], base: str, tip: str) -> list[ChainJoint]:
    """The joints from base to tip, found upwards: a link has one joint above it and any number below."""
    found: list[ChainJoint] = []
    link, passed = tip, [tip]
    while link != base:
        joint = above.get(link)
        if joint is None:
            raise UrdfError(
                f"'{tip}' does not hang on '{base}'; above it are {_listed(passed[1:]) or 'no links'}: "
                "name one of them as base_link"
            )
        found.append(_joint(joint))
        link = _link_of(joint, "parent")
        passed.append(link)
        if len(found) > MAX_JOINTS:
            raise UrdfError(f"more than {MAX_JOINTS} joints above '{tip}', or they go round in a circle")
    return found[::-1]


def _joint(joint: ET.Element) -> ChainJoint:
    name, kind = _name(joint, "joint"), joint.get("type", "")
    if kind not in list(JointMotion):
        raise UrdfError(f"joint '{name}' is {kind or 'of no type'}, expected one of {_listed(JointMotion)}")
    motion = JointMotion(kind)
    if joint.find("mimic") is not None:
        raise UrdfError(f"joint '{name}' mimics another one; end the chain before it with another tip_link")
    origin = joint.find("origin")
    place = (
        {} if origin is None else {key: _vector(origin, key, name) for key in ("xyz", "rpy") if key in origin.attrib}
    )
    if motion is JointMotion.FIXED:
        return ChainJoint(name=name, motion=motion, origin=Placement(**place))
    axis_element = joint.find("axis")
    axis = (1.0, 0.0, 0.0) if axis_element is None else _vector(axis_element, "xyz", name)
    if not any(axis):
        raise UrdfError(f"joint '{name}' has an axis of zeros; correct the file")
    limit = joint.find("limit")
    if limit is None and motion is not JointMotion.CONTINUOUS:
        raise UrdfError(f"joint '{name}' has no limits, which a {kind} joint needs; add <limit> or make it continuous")
    lower, upper, speed = (
        (0.0,) * 3
        if limit is None
        else (_number(limit.get(key, "0"), f"joint '{name}', {key}") for key in ("lower", "upper", "velocity"))
    )
    if motion is not JointMotion.CONTINUOUS and not lower < upper:
        raise UrdfError(
            f"joint '{name}' may move from {lower:g} to {upper:g}, expected lower < upper; correct its limit"
        )
    return ChainJoint(
        name=name, motion=motion, origin=Placement(**place), axis=axis, lower=lower, upper=upper, speed=max(speed, 0.0)
    )


def _vector(element: ET.Element, key: str, joint: str) -> tuple[float, float, float]:
    words = element.get(key, "").split()
    if len(words) != 3:
        raise UrdfError(f"joint '{joint}', {element.tag}: found {key}={element.get(key)!r}, expected three numbers")
    x, y, z = (_number(word, f"joint '{joint}', {element.tag} {key}") for word in words)
    return x, y, z


def _number(word: str, where: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not abs(value) <= _LARGEST:
        raise UrdfError(f"{where}: found {word!r}, expected a number of metres, radians or their rate")
    return value


def _advice(name: str, known: list[str]) -> str:
    meant = closest(name, known)
    return f"did you mean '{meant}'?" if meant else f"there are {_listed(known) or 'none'}"


def _listed(names: Iterable[str]) -> str:
    known = list(map(str, names))
    more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
    return ", ".join(known[:_MOST_NAMED]) + more
