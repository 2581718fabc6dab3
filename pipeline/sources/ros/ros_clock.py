"""Which clock a bag's topics are on, and how regularly their messages come.

A message has the time it was logged and mostly a header stamp, when what it says was measured. The stamp is what
actions and pictures must share; log time lags it by transport and load. Stamps count unless they cannot be right:
zero, going backwards, or from a clock that has nothing to do with the other topics'. A bag is never split over two
clocks that differ by more than `_SAME_CLOCK_NS`: then all topics fall back to log time. Every such choice is told.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from schemas.array import Bools, Ints
from schemas.finding import Finding
from schemas.time import NS_PER_S

Clock = Literal["header", "log"]
Tell = Callable[[str, str, float | None, float | None], Finding]
"""(check, message, value, threshold) to a finding about the episode."""

_SAME_CLOCK_NS = NS_PER_S
"""Stamps further than this from the others' are of another clock: no transport takes so long."""
_SKEW_NS = 50_000_000
"""A lag of log time behind the stamps worth telling: more than a frame at 20 Hz."""
_GAP = 1.75
"""An interval of so many usual ones is a gap: where one message is missing it is two."""
_JITTER = 0.25
"""Nine of ten intervals ought to be this close to the usual one, as a share of it."""


@dataclass
class Stamps:
    """Both times of every message of one topic, in the order of the file."""

    header_ns: "array[int]" = field(default_factory=lambda: array("q"))
    """-1 where the message's type has no stamp."""
    log_ns: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, header_ns: int | None, log_ns: int) -> None:
        self.header_ns.append(-1 if header_ns is None else header_ns)
        self.log_ns.append(log_ns)


@dataclass(frozen=True)
class Chosen:
    """The clock of a topic and, where it is not the one asked for, why."""

    clock: Clock
    check: str = ""
    reason: str = ""
    value: float | None = None


def choose(topics: Mapping[str, Stamps], asked: Clock) -> dict[str, Chosen]:
    """The clock of each topic; one for all if they are too far apart."""
    if asked == "log":
        return dict.fromkeys(topics, Chosen("log"))
    chosen = {topic: _judged(stamps) for topic, stamps in topics.items()}
    lags = {topic: _lag_ns(topics[topic]) for topic, choice in chosen.items() if choice.clock == "header"}
    if not lags:
        return chosen
    common = int(np.median(list(lags.values())))
    for topic, lag in lags.items():
        if abs(lag - common) > _SAME_CLOCK_NS:
            reason = f"its header stamps are {_s(lag - common)} s from those of the other topics"
            chosen[topic] = Chosen("log", "header_clock_differs", reason, (lag - common) / NS_PER_S)
    mixed = len({choice.clock for choice in chosen.values()}) > 1
    if mixed and abs(common) > _SAME_CLOCK_NS:
        reason = f"header stamps are {_s(common)} s behind log time, which other topics must use"
        far = Chosen("log", "header_clock_differs", reason, common / NS_PER_S)
        chosen = {topic: far if choice.clock == "header" else choice for topic, choice in chosen.items()}
    return chosen


def _judged(stamps: Stamps) -> Chosen:
    header_ns = times_of(stamps, "header")
    if not len(header_ns) or header_ns.min() < 0:
        return Chosen("log")
    if n := int(np.count_nonzero(header_ns == 0)):
        return Chosen("log", "header_stamp_zero", f"{n} of {len(header_ns)} header stamps are zero", n)
    back = -int(np.min(np.diff(header_ns), initial=0))
    if back > 0:
        reason = f"its header stamps go back by up to {back / 1e6:.1f} ms"
        return Chosen("log", "header_stamp_backwards", reason, back / 1e6)
    return Chosen("header")


def _lag_ns(stamps: Stamps) -> int:
    """How much later than stamped messages are usually logged."""
    return int(np.median(times_of(stamps, "log") - times_of(stamps, "header")))


def _s(nanoseconds: int) -> str:
    return f"{nanoseconds / NS_PER_S:.3f}"


def times_of(stamps: Stamps, clock: Clock) -> Ints:
    """int64 [N] on the clock."""
    return np.array(stamps.header_ns if clock == "header" else stamps.log_ns, np.int64)


def in_order(times_ns: Ints) -> Bools:
    """Which messages count: those later than all before them. bool [N]."""
    if not len(times_ns):
        return np.zeros(0, np.bool_)
    before = np.maximum.accumulate(times_ns)
    return np.concatenate([[True], times_ns[1:] > before[:-1]])


def clock_findings(topics: Mapping[str, Stamps], chosen: Mapping[str, Chosen], tell: Tell) -> Iterator[Finding]:
    """Which topics are not on the clock asked for, and how far the two clocks are apart."""
    for topic, choice in sorted(chosen.items()):
        if choice.check:
            yield tell(choice.check, f"{topic}: {choice.reason}; its log time counts", choice.value, 0.0)
    lags = {topic: _lag_ns(topics[topic]) for topic, choice in chosen.items() if choice.clock == "header"}
    logged = sorted(topic for topic, choice in chosen.items() if choice.clock == "log")
    common = int(np.median(list(lags.values()))) if lags else 0
    if abs(common) > _SKEW_NS:
        message = f"messages are logged {common / 1e6:.1f} ms after their header stamps, which count"
        if logged:
            message += f"; {', '.join(logged)} have only log time and are late by as much"
        yield tell("clock_skew", message, common / 1e6, _SKEW_NS / 1e6)


def rate_findings(topic: str, times_ns: Ints, tell: Tell) -> Iterator[Finding]:
    """Messages left out, gaps and jitter of one topic; ``times_ns`` in the order of the file."""
    keep = in_order(times_ns)
    if not keep.all():
        n = int(np.count_nonzero(~keep))
        message = f"{topic}: {n} of {len(keep)} messages are stamped no later than one before them and are left out"
        yield tell("message_out_of_order", message, n, 0)
    intervals = np.diff(times_ns[keep])
    if len(intervals) < 4:
        return
    usual = float(np.median(intervals))
    gaps = np.flatnonzero(intervals > _GAP * usual)
    if len(gaps):
        longest = int(np.argmax(intervals))
        lost = int(np.sum(np.rint(intervals[gaps] / usual) - 1))
        start_s = (times_ns[keep][longest] - times_ns[0]) / NS_PER_S
        message = (
            f"{topic}: {len(gaps)} gaps, in which about {lost} messages would have come; the longest is "
            f"{intervals[longest] / 1e6:.1f} ms, {start_s:.3f} s after the first message, and {usual / 1e6:.1f} ms "
            "are usual"
        )
        yield tell("topic_gap", message, float(intervals[longest] / 1e6), _GAP * usual / 1e6)
    jitter = float(np.percentile(np.abs(intervals - usual), 90) / usual)
    if jitter > _JITTER:
        message = f"{topic}: one of ten intervals is off by {jitter:.0%} of the usual {usual / 1e6:.1f} ms or more"
        yield tell("topic_jitter", message, jitter, _JITTER)
