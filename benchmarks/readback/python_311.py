"""Lets LeRobot 0.6 be imported by Python 3.11, where there is no 3.12.

It asks for 3.12 because five of its modules write types in that version's syntax (``type X = …``, ``class C[T]``,
``def f[T]``). That is all: with those lines in the old spelling it runs. Nothing else of the library is touched, so
what reads the datasets back is LeRobot.

    python benchmarks/readback/python_311.py SITE_PACKAGES/lerobot
"""

import re
import sys
from pathlib import Path

FUTURE = "from __future__ import annotations"
RULES = (
    (re.compile(r"^type (\w+) = ", re.MULTILINE), r"\1 = "),
    (
        re.compile(r"^class (\w+)\[[\w, ]+\](.*):$", re.MULTILINE),
        r"class \1\2:\n    __class_getitem__ = classmethod(lambda cls, _: cls)\n",
    ),
    (re.compile(r"^(\s*def \w+)\[[^\]]+\]\(", re.MULTILINE), r"\1("),
)


def respelt(source: str) -> str:
    """The module in the syntax of Python 3.11, with annotations never evaluated."""
    found = source
    for pattern, replacement in RULES:
        found = pattern.sub(replacement, found)
    return found if FUTURE in found else f"{FUTURE}\n{found}"


def main() -> None:
    """Respell every module that needs it."""
    for path in sorted(Path(sys.argv[1]).rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        try:
            compile(source, str(path), "exec")
        except SyntaxError:
            path.write_text(respelt(source), encoding="utf-8")
            compile(respelt(source), str(path), "exec")
            print(f"respelt {path}")


if __name__ == "__main__":
    main()
