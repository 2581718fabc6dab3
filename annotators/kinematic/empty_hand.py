"""Closed fingers with nothing between them: a fist that pushes, or fingers that something pressed shut.

Fingers closed as far as they go may hold something thin, so closure alone proves nothing. Two things do: a hand that
closes at a run has not stopped for anything, and one that sinks after closing, before it ever rises, did not close
around a thing that stands on its support. The reverse is told by the command: fingers that move without being told to
were moved.
"""

import numpy as np

from annotators.kinematic.gripper import SHUT, Hold
from annotators.kinematic.signals import ArmSignals, Effector
from pipeline.mask_runs import last_true
from schemas.array import Floats

_AT_A_RUN_M_S = 0.15
_SINK_M = 0.02
_RISE_M = 0.01
_TOLD_S = 1.5
"""A command to close this long before the fingers began to still counts as theirs."""
_WIDER = 0.2
"""Fingers that were never this much wider have been closed since: what they catch, they catch by an older command."""
_TOLD = 0.05


def is_fist(signals: ArmSignals, hold: Hold) -> bool:
    """Whether the fingers closed on nothing and then went to work. A command, a switch or a hand cannot tell."""
    measured = signals.effector is Effector.GRIPPER and not signals.commanded
    if not measured or hold.closed is None or hold.plateau > SHUT or signals.position is None or signals.speed is None:
        return False
    if float(signals.speed[hold.closed]) > _AT_A_RUN_M_S:
        return True
    end = signals.grid.n if hold.opened is None else hold.opened
    height = signals.position[hold.closed : end, 2] - signals.position[hold.closed, 2]
    rises = np.flatnonzero(height > _RISE_M)
    return bool(np.any(height[: rises[0] if rises.size else len(height)] < -_SINK_M))


def is_squeezed(signals: ArmSignals, hold: Hold, told: Floats | None) -> bool:
    """Whether the fingers were pressed together from outside: no command to close precedes their closing."""
    if told is None or hold.closed is None or signals.opening is None:
        return False
    began = last_true(signals.opening > signals.opening[hold.closed] + _WIDER, 0, hold.closed) or 0
    before = told[max(0, began - signals.grid.samples(_TOLD_S)) : hold.closed + 1]
    return bool(np.max(np.maximum.accumulate(before) - before) < _TOLD)
