"""What ``joinery doctor`` prints: a line per check as it comes, and under it what to do where something is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from jobs.doctor.check import Check, State
from jobs.show import print_json

_STYLES = {State.OK: "green", State.WARNING: "yellow", State.FAILURE: "bold red"}
_NAME, _STATE = 22, 9


def diagnosis(out: Console, checks: Iterable[Check], as_json: bool) -> bool:
    """Whether a run would work."""
    found = []
    for check in checks:
        found.append(check)
        if not as_json:
            _line(out, check)
    n = {state: sum(check.state is state for check in found) for state in State}
    if as_json:
        print_json({"ok": not n[State.FAILURE], "checks": [dataclasses.asdict(check) for check in found]})
    else:
        words = [f"{n[State.OK]} ok", f"{n[State.WARNING]} warnings", f"{n[State.FAILURE]} failures"]
        worst = State.FAILURE if n[State.FAILURE] else State.WARNING if n[State.WARNING] else State.OK
        out.print(Text(", ".join(words), style=_STYLES[worst]))
    return not n[State.FAILURE]


def _line(out: Console, check: Check) -> None:
    text = Text(f"{check.state:<{_STATE}}", style=_STYLES[check.state])
    text.append(f"{check.name:<{_NAME}} ", style="bold")
    text.append(check.found, style="default")
    out.print(text, soft_wrap=True)
    if check.state is not State.OK:
        indent = " " * (_STATE + _NAME + 1)
        out.print(f"{indent}expected: {check.expected}", markup=False, highlight=False, soft_wrap=True)
        out.print(f"{indent}do:       {check.advice}", markup=False, highlight=False, soft_wrap=True)
