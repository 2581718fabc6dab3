"""Reading the robot descriptions a recipe names, while it is loaded: paths go in, chains come out.

Like source cards (`schemas.registry_file`) they are content, not places: what travels with an episode is the chain
itself, so that workers need no file and a file that was moved changes nothing.
"""

from pathlib import Path
from typing import Any

from schemas.recipe_places import is_local, replaced, robot_paths
from schemas.recipe_text import KeyPath, Problem, value_at
from schemas.robot_chain import Chain
from schemas.urdf import UrdfError, read_chain

_UNREADABLE = Chain(robot="", base="", tip="", joints=()).model_dump(mode="json")
"""Stands in for a chain whose file is wrong, so that the rest is checked too."""


def with_chains(data: Any) -> tuple[Any, list[Problem]]:
    """A recipe's data (paths absolute) with chains in place of URDF paths, and what is wrong with the files."""
    problems = []
    for path in robot_paths(data):
        arm = value_at(data, path)
        if not isinstance(arm, dict) or not isinstance(arm.get("urdf"), str):
            continue
        chain, problem = _chain(arm, path)
        if problem is not None:
            problems.append(problem)
        data = replaced(data, (*path, "urdf"), chain)
    return data, problems


def _chain(arm: dict[str, Any], path: KeyPath) -> tuple[dict[str, Any], Problem | None]:
    base, tip = arm.get("base_link"), arm.get("tip_link")
    if not isinstance(tip, str) or not isinstance(base, str | None):
        return _UNREADABLE, None  # validation says so
    if not is_local(arm["urdf"]):
        return _UNREADABLE, Problem((*path, "urdf"), f"found {arm['urdf']!r}, expected a file on this machine")
    try:
        return read_chain(Path(arm["urdf"]), base, tip).model_dump(mode="json"), None
    except UrdfError as error:
        return _UNREADABLE, Problem((*path, "urdf"), str(error))
