"""Joints that put a robot's tool where a pose is: damped least squares, row after row.

Each row starts from the joints of the row before, so that the arm moves as the hand did; only where an arm starts, or
loses a pose, other starting points are tried. A step solves (JᵀJ + λI) δ = Jᵀe with λ that grows with the error
(Sugihara 2011), so that it slows down instead of blowing up near singularities and outside the reach. Joints at a
limit that would be pushed through it are held while the others move. No randomness, no clock: the same rows give
the same bits.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.kinematics.robot import Robot, pinocchio
from schemas.array import Bools, Floats
from schemas.recipe_kinematics import RetargetSpec
from schemas.robot_chain import ChainJoint, JointMotion

MAX_STEPS = 60
_STARTS = 12
"""Starting points besides home that are tried, spread evenly over the joints' limits."""
_CLOSE = 1e-7
"""Metres (and weighted radians) at which a row is done: below float32 steps of a metre."""
_LONGEST_STEP = 0.5
"""rad or m per joint and step; linearisation is worth no more."""
_STALLED = 1e-3
"""A step that lowers the error by a smaller share is no progress."""
_STALLS = 4
_LEAST_DAMPING = 1e-12
_POSTURE = 0.05
"""Share of the way home per row that joints to spare may go."""
_AT_LIMIT = 1e-3
"""rad or m from a limit."""
_RANK = 1e-6
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)


@dataclass(frozen=True, eq=False)
class Solution:
    """What inverse kinematics found for T poses; NaN in rows that were not asked for."""

    joints: Floats
    """float64 [T, J]: the closest the arm gets, also where that is not close enough."""
    position_error: Floats
    """float64 [T] m."""
    rotation_error: Floats
    """float64 [T] rad; 0 where rotations are free."""
    smallest_singular: Floats
    """float64 [T]: of the Jacobian, radians of the tool's rotation weighted into metres."""
    reached: Bools
    """bool [T]: both errors within the recipe's bounds."""
    at_limit: Bools
    """bool [T, J]"""


def solve(robot: Robot, position: Floats, rotation: Floats, spec: RetargetSpec) -> Solution:
    """Joints for positions [T, 3] and rotations [T, 3, 3] in the recording's frame; rows with NaN are left out."""
    n_rows, n_joints = len(position), len(robot.joints)
    solver = _Solver(robot, spec)
    joints = np.full((n_rows, n_joints), np.nan)
    errors = np.full((n_rows, 3), np.nan)
    reached = np.zeros(n_rows, np.bool_)
    asked = np.isfinite(position).all(axis=1) & np.isfinite(rotation).all(axis=(1, 2))
    before, searching = solver.home, True
    for row in np.flatnonzero(asked):
        pose = position[row], rotation[row]
        found = solver.descend(solver.relaxed(before), *pose)
        if not solver.reaches(found) and searching and solver.may_reach(position[row]):
            found = solver.search(found, before, *pose)
        joints[row], errors[row] = found.joints, (found.position, found.rotation, solver.singular_value(found.joints))
        reached[row] = solver.reaches(found)
        before, searching = found.joints, bool(reached[row])
    margin = np.minimum(joints - robot.lower, robot.upper - joints)
    return Solution(joints, errors[:, 0], errors[:, 1], errors[:, 2], reached, margin <= _AT_LIMIT)


@dataclass(frozen=True, eq=False)
class _Found:
    """Where a descent ended."""

    joints: Floats
    position: float
    rotation: float
    cost: float


class _Solver:
    """The arm, the weight of rotations, and the starting points."""

    def __init__(self, robot: Robot, spec: RetargetSpec) -> None:
        self._robot, self._spec, self._pin = robot, spec, pinocchio()
        tolerance_m, tolerance_rad = spec.max_position_error_m, spec.max_rotation_error_rad
        self._metres_per_rad = 0.0 if spec.position_only else tolerance_m / tolerance_rad
        self._weight = np.array([1.0] * 3 + [self._metres_per_rad] * 3)
        self.home = np.array([spec.home.get(joint.name, _middle(joint)) for joint in robot.joints])
        self._starts = list(self._spread())
        everywhere = [self._singular_values(q) for q in (self.home, *self._starts)]
        self._freedoms = max(int(np.count_nonzero(values > _RANK)) for values in everywhere)

    def reaches(self, found: _Found) -> bool:
        """Whether a descent ended close enough."""
        return found.position <= self._spec.max_position_error_m and found.rotation <= self._spec.max_rotation_error_rad

    def may_reach(self, position: Floats) -> bool:
        """False where the arm is too short whatever it does."""
        away = float(np.linalg.norm(position - self._robot.shoulder))
        return away <= self._robot.reach + self._spec.max_position_error_m

    def relaxed(self, q: Floats) -> Floats:
        """A little towards home with the tool in place: an arm with joints to spare would drift into its limits."""
        jacobian = self._weight[:, None] * self._robot.jacobian(q)
        away = _POSTURE * (self.home - q)
        kept: Floats = away - np.linalg.pinv(jacobian, rcond=1e-4) @ (jacobian @ away)
        return np.clip(q + kept, self._robot.lower, self._robot.upper)

    def search(self, found: _Found, before: Floats, position: Floats, rotation: Floats) -> _Found:
        """Descents from all starting points: of those that reach, the one nearest to ``before``; else the closest."""
        tried = [found, *(self.descend(start, position, rotation) for start in (self.home, *self._starts))]
        reaching = [one for one in tried if self.reaches(one)]
        if reaching:
            return min(reaching, key=lambda one: float(np.linalg.norm(one.joints - before)))
        return min(tried, key=lambda one: one.cost)

    def descend(self, start: Floats, position: Floats, rotation: Floats) -> _Found:
        """From ``start`` downhill until the pose is met, nothing improves, or `MAX_STEPS` are over."""
        here, error = self._look(start, position, rotation)
        damping, stalls = 0.5, 0
        for _ in range(MAX_STEPS):
            if np.max(np.abs(error)) < _CLOSE or stalls >= _STALLS:
                break
            jacobian = self._weight[:, None] * self._robot.jacobian(here.joints)
            step = self._step(jacobian, error, here, damping)
            there, error_there = self._look(
                np.clip(here.joints + step, self._robot.lower, self._robot.upper), position, rotation
            )
            if there.cost >= here.cost:
                damping, stalls = damping * 8.0, stalls + 1
                continue
            stalls = stalls + 1 if there.cost > (1.0 - _STALLED) * here.cost else 0
            here, error, damping = there, error_there, max(damping / 4.0, 1e-3)
        return here

    def singular_value(self, q: Floats) -> float:
        """The smallest singular value among the freedoms this arm has at all."""
        return float(self._singular_values(q)[self._freedoms - 1])

    def _look(self, q: Floats, position: Floats, rotation: Floats) -> tuple[_Found, Floats]:
        """Where the tool is at ``q``, and the weighted error [6] left to the pose."""
        at, turned = self._robot.pose(q)
        apart = position - at
        turn = turned @ self._pin.log3(turned.T @ rotation)
        error = self._weight * np.concatenate([apart, turn])
        angle = 0.0 if self._spec.position_only else float(np.linalg.norm(turn))
        return _Found(q, float(np.linalg.norm(apart)), angle, float(error @ error)), error

    def _step(self, jacobian: Floats, error: Floats, here: _Found, damping: float) -> Floats:
        """The damped step [J]; joints that it would push through a limit are held."""
        free = np.ones(len(here.joints), np.bool_)
        step = np.zeros(len(here.joints))
        for _ in range(len(here.joints)):
            part = jacobian[:, free]
            damped = part.T @ part + (damping * here.cost + _LEAST_DAMPING) * np.eye(part.shape[1])
            step[free] = np.linalg.solve(damped, part.T @ error)
            low, high = here.joints <= self._robot.lower, here.joints >= self._robot.upper
            held = free & ((low & (step < 0.0)) | (high & (step > 0.0)))
            if not held.any():
                break
            free &= ~held
            step[:] = 0.0
            if not free.any():
                break
        longest = float(np.max(np.abs(step)))
        return step if longest <= _LONGEST_STEP else step * (_LONGEST_STEP / longest)

    def _singular_values(self, q: Floats) -> Floats:
        values: Floats = np.linalg.svd(self._weight[:, None] * self._robot.jacobian(q), compute_uv=False)
        return values

    def _spread(self) -> Iterator[Floats]:
        """Halton points within the limits, a turn for joints without."""
        lower = np.where(np.isfinite(self._robot.lower), self._robot.lower, -np.pi)
        upper = np.where(np.isfinite(self._robot.upper), self._robot.upper, np.pi)
        for index in range(1, _STARTS + 1):
            parts = [_radical_inverse(index, _PRIMES[joint % len(_PRIMES)]) for joint in range(len(lower))]
            yield lower + np.array(parts) * (upper - lower)


def _middle(joint: ChainJoint) -> float:
    return 0.0 if joint.motion is JointMotion.CONTINUOUS else (joint.lower + joint.upper) / 2


def _radical_inverse(index: int, base: int) -> float:
    """The ``index``-th number of van der Corput's sequence: its digits mirrored at the point."""
    value, place = 0.0, 1.0 / base
    while index:
        index, digit = divmod(index, base)
        value, place = value + digit * place, place / base
    return value
