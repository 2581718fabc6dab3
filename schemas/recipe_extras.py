"""Which parts of a recipe need a library that the core does not install, and whether it is there.

Looked up, not imported: a recipe is checked in milliseconds, and an import says the same with a traceback in the
middle of a run.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from schemas.recipe_places import ROBOTS, source_paths
from schemas.recipe_text import Problem, value_at

PINOCCHIO = "install it with `pip install 'joinery[robot]'`"
MEDIAPIPE = "install it as docs/pseudo_actions.md says"
_NEEDS = {**dict.fromkeys(ROBOTS, ("pinocchio", PINOCCHIO)), "pseudo_actions": ("mediapipe", MEDIAPIPE)}


def extras_problems(data: Any) -> Iterator[Problem]:
    """One problem per key of a source whose library is missing."""
    for source in source_paths(data):
        for key, (library, advice) in _NEEDS.items():
            path = (*source[:-1], key)
            if value_at(data, path) and find_spec(library) is None:
                yield Problem(path, f"needs {library}, which is not here; {advice}")
