"""Whether sync finds lags, and never applies a wrong one: ``python -m benchmarks.sync``.

Recordings are made, simulated and real (`benchmarks.sync_recordings`). The action clock of each is shifted by 0, ± 50,
± 100, ± 250 and ± 500 ms in three ways: an episode judged *alone*; *all* episodes of its source shifted alike, judged
with their vote; and *one* episode shifted in a source that is otherwise as recorded. Then single episodes of each
source are broken: actions of another episode, a random lag, a stretched clock, a camera that sees nothing but noise.

A verdict other than rejected and unverified *passes* an episode. What passes and is more than a frame off is
*moved wrongly* when the actions were moved, and *missed* when they were left where they were. Where the true lag of a
real robot is unknown, it is taken to be that of all its episodes as they are (``own ms``). A source is *judgeable* when
a healthy episode of it passes: those of too short or joints-only ones cannot. Precision is the share of broken episodes
among those held back, recall the share held back among the broken ones that were not put right. Fails when anything is
moved wrongly, or when what passes is more than a frame off at the 95th percentile.
"""

import argparse
import dataclasses
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.sync_recordings import Recording, Sources, made, real, simulated
from pipeline.align import case_of, synchronise
from pipeline.lag import lag_curve
from pipeline.vote import vote, vote_spec
from schemas.array import Floats
from schemas.episode import SyncVerdict
from schemas.recipe import AlignSpec
from schemas.sync import LagCurve, SourceClock, SourceLag
from schemas.time import NS_PER_S

LAGS_S = (0.0, 0.05, -0.05, 0.1, -0.1, 0.25, -0.25, 0.5, -0.5)
RANDOM_LAGS_S = (0.13, -0.17, 0.31, -0.38, 0.62, -0.55, 1.2, -1.1)
STRETCH = (1.05, 0.95)
"""A clock this much too slow or fast: over 10 s, a quarter of a second off at each end."""
WAYS = ("alone", "all", "one")
FAULTS = ("swapped", "random lag", "stretched", "blind")
VERDICTS = (SyncVerdict.CONFIRMED, SyncVerdict.CORRECTED, SyncVerdict.BY_SOURCE)
HELD = (SyncVerdict.UNVERIFIED, SyncVerdict.REJECTED)
TRUE_LAG_0 = ("robosuite", "robosuite 6 s", "teleop", "open_robot", "recovery", "umi", "self_collected")

Curves = Sequence[LagCurve | None]
Outcome = tuple[SyncVerdict, float]
"""The verdict, and by how many seconds the actions are moved."""


@dataclass
class Tally:
    """What became of many episodes."""

    verdicts: Counter[SyncVerdict] = field(default_factory=Counter)
    off_frames: list[float] = field(default_factory=list)
    """Of those that pass."""
    moved_wrongly: int = 0
    missed: int = 0

    def add(self, verdict: SyncVerdict, offset_s: float, true_s: float, frame_s: float) -> None:
        """One episode: where its actions were put, and where they belong."""
        self.verdicts[verdict] += 1
        if verdict in HELD and offset_s == 0.0:
            return
        off = abs(offset_s - true_s) / frame_s
        self.off_frames.append(off)
        self.moved_wrongly += off > 1.0 and offset_s != 0.0
        self.missed += off > 1.0 and offset_s == 0.0

    def merge(self, other: "Tally") -> None:
        """Take in what another one counted."""
        self.verdicts += other.verdicts
        self.off_frames += other.off_frames
        self.moved_wrongly += other.moved_wrongly
        self.missed += other.missed

    @property
    def p95_frames(self) -> float:
        """How far those that pass are off, 95th percentile."""
        return float(np.percentile(self.off_frames, 95)) if self.off_frames else 0.0

    @property
    def held(self) -> int:
        """How many were not passed."""
        return sum(self.verdicts[verdict] for verdict in HELD)

    @property
    def wrong(self) -> int:
        """Those that pass and are more than a frame off."""
        return self.moved_wrongly + self.missed


# -- sync, as the stages run it ----------------------------------------------------------------------------------------


def shifted(recording: Recording, lag_s: float, rate: float = 1.0) -> Recording:
    """The episode with actions stamped ``lag_s`` too late, by a clock that runs ``rate`` times as long."""
    times_ns = recording.actions.times_ns
    middle = int(times_ns[0] + times_ns[-1]) // 2
    stretched = np.round((times_ns - middle) * rate).astype(np.int64) + middle + round(lag_s * NS_PER_S)
    return dataclasses.replace(recording, actions=dataclasses.replace(recording.actions, times_ns=stretched))


@dataclass(frozen=True)
class Sync:
    """The stages, one after the other."""

    spec: AlignSpec

    def curve(self, recording: Recording) -> LagCurve | None:
        """Stage ``lag``."""
        return lag_curve(recording.episode, recording.actions, recording.strips, self.spec.max_lag_s)

    def votes(self, curves: Curves) -> list[SourceLag]:
        """Stage ``vote``."""
        known = [curve for curve in curves if curve is not None]
        return [found for found in vote("source", lambda: known, vote_spec(self.spec)) if isinstance(found, SourceLag)]

    def judge(self, recording: Recording, curve: LagCurve | None, votes: Sequence[SourceLag]) -> Outcome:
        """Stage ``align``, up to cleaning."""
        case = case_of(recording.episode, recording.actions, curve, votes, self.spec)
        judgement = synchronise(case, recording.actions)
        return judgement.verdict, judgement.offset_ns / NS_PER_S

    def own_lag_s(self, name: str, recordings: Sequence[Recording]) -> float:
        """The lag that a source has before anything is injected: known, or told by all its episodes together."""
        curves = [self.curve(recording) for recording in recordings]
        constant = [found.lag_ns for found in self.votes(curves) if found.clock is SourceClock.CONSTANT]
        told = constant or [curve.estimate.lag_ns for curve in curves if curve is not None]
        return 0.0 if name in TRUE_LAG_0 or not told else float(np.median(told)) / NS_PER_S


# -- injected lags -----------------------------------------------------------------------------------------------------


def lag_tallies(sync: Sync, recordings: Sequence[Recording], own_s: float) -> dict[str, Tally]:
    """Alone, all episodes shifted alike, and one episode shifted."""
    tallies = {way: Tally() for way in WAYS}
    base = [sync.curve(recording) for recording in recordings]
    for lag_s in LAGS_S:
        moved = [shifted(recording, lag_s) for recording in recordings]
        curves = [sync.curve(recording) for recording in moved] if lag_s else base
        together = sync.votes(curves)
        for i, (recording, curve) in enumerate(zip(moved, curves, strict=True)):
            among = sync.votes([*base[:i], curve, *base[i + 1 :]])
            for way, votes in (("alone", []), ("all", together), ("one", among)):
                tallies[way].add(*sync.judge(recording, curve, votes), own_s - lag_s, recording.frame_s)
    return tallies


# -- the reject path ---------------------------------------------------------------------------------------------------


def swapped(recordings: Sequence[Recording], i: int) -> Recording | None:
    """The episode with the actions of the next one that moves otherwise; None when all move alike."""
    for other in (*recordings[i + 1 :], *recordings[:i]):
        if not np.array_equal(_motion(other), _motion(recordings[i])):
            return dataclasses.replace(recordings[i], actions=other.actions)
    return None


def _motion(recording: Recording) -> Floats | None:
    """What was recorded: one simulated motion was rendered twice."""
    positions = [arm.position for arm in recording.actions.state if arm.position is not None]
    return positions[0] if positions else recording.actions.joint_state


def blind(recording: Recording) -> Recording:
    """The episode seen by cameras that show nothing but the noise of their sensors."""
    rng = np.random.default_rng(recording.episode.master.n_frames)
    strips = tuple(
        dataclasses.replace(
            strip,
            flow=(0.01 * rng.standard_normal(strip.flow.shape)).astype(np.float32),
            difference=np.abs(1.0 + 0.1 * rng.standard_normal(strip.difference.shape)).astype(np.float32),
        )
        for strip in recording.strips
    )
    return dataclasses.replace(recording, strips=strips)


def broken_tallies(sync: Sync, recordings: Sequence[Recording], own_s: float) -> dict[str, Tally]:
    """One broken episode at a time among healthy ones; where no lag is right, whatever passes counts as missed."""
    base = [sync.curve(recording) for recording in recordings]
    never = float("inf")
    tallies = {fault: Tally() for fault in ("healthy", *FAULTS)}
    for i, recording in enumerate(recordings):
        lag_s, rate = RANDOM_LAGS_S[i % len(RANDOM_LAGS_S)], STRETCH[i % len(STRETCH)]
        cases: list[tuple[str, Recording, float]] = [
            ("healthy", recording, own_s),
            ("random lag", shifted(recording, lag_s), own_s - lag_s),
            ("stretched", shifted(recording, 0.0, rate), never),
            ("blind", blind(recording), never),
        ]
        if (other := swapped(recordings, i)) is not None:
            cases.append(("swapped", other, never))
        for fault, broken, true_s in cases:
            curve = sync.curve(broken)
            votes = sync.votes([*base[:i], curve, *base[i + 1 :]])
            tallies[fault].add(*sync.judge(broken, curve, votes), true_s, recording.frame_s)
    return tallies


# -- tables ------------------------------------------------------------------------------------------------------------


def print_lags(sync: Sync, sources: Sources, own: dict[str, float]) -> Tally:
    """The table of injected lags; everything counted, in one tally."""
    print(f"Lags of {', '.join(f'{lag_s * 1e3:g}' for lag_s in LAGS_S)} ms, each in each episode\n")
    print(f"{'source':15} {'own ms':>6} {'way':6} {'judged':>6} {'confirmed':>9} {'corrected':>9} {'by source':>9} "
          f"{'unverified':>10} {'rejected':>8} {'p95 frames':>10} {'moved wrongly':>13} {'missed':>6}")  # fmt: skip
    ways = {way: Tally() for way in WAYS}
    for name, recordings in sources.items():
        for way, tally in lag_tallies(sync, recordings, own[name]).items():
            print(_lag_row(name, f"{own[name] * 1e3:.0f}", way, tally))
            ways[way].merge(tally)
    total = Tally()
    for way, tally in ways.items():
        print(_lag_row("together", "", way, tally))
        total.merge(tally)
    print()
    return total


def _lag_row(name: str, own_ms: str, way: str, tally: Tally) -> str:
    counts = [tally.verdicts[verdict] for verdict in (*VERDICTS, *HELD)]
    return (
        f"{name:15} {own_ms:>6} {way:6} {sum(counts):6d} {counts[0]:9d} {counts[1]:9d} {counts[2]:9d} {counts[3]:10d} "
        f"{counts[4]:8d} {tally.p95_frames:10.2f} {tally.moved_wrongly:13d} {tally.missed:6d}"
    )


def print_broken(sync: Sync, sources: Sources, own: dict[str, float]) -> int:
    """The table of the reject path; how many were moved wrongly (a stretched clock has a lag, where the motion is)."""
    print("One broken episode at a time, among its source's healthy ones: held back / put right / passed wrongly\n")
    print(f"{'source':15} {'episodes':>8} " + " ".join(f"{name:>13}" for name in ("healthy", *FAULTS))
          + "  precision recall")  # fmt: skip
    everything, judgeable = ({fault: Tally() for fault in ("healthy", *FAULTS)} for _ in range(2))
    for name, recordings in sources.items():
        tallies = broken_tallies(sync, recordings, own[name])
        print(_broken_row(name, tallies))
        for whole in (everything, judgeable) if tallies["healthy"].off_frames else (everything,):
            for fault, tally in tallies.items():
                whole[fault].merge(tally)
    print(_broken_row("judgeable", judgeable))
    print(_broken_row("together", everything))
    return sum(tally.moved_wrongly for fault, tally in everything.items() if fault != "stretched")


def _broken_row(name: str, tallies: dict[str, Tally]) -> str:
    n = sum(tallies["healthy"].verdicts.values())
    cells = " ".join(
        f"{f'{tally.held}/{len(tally.off_frames) - tally.wrong}/{tally.wrong}':>13}" for tally in tallies.values()
    )
    held_broken = sum(tally.held for fault, tally in tallies.items() if fault != "healthy")
    missed = sum(tally.wrong for fault, tally in tallies.items() if fault != "healthy")
    held = held_broken + tallies["healthy"].held
    precision, recall = held_broken / max(held, 1), held_broken / max(held_broken + missed, 1)
    return f"{name:15} {n:8d} {cells}  {precision:9.2f} {recall:6.2f}"


def main() -> int:
    """Print both tables; exit code 1 when a lag was applied wrongly or those that pass are too far off."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=7, help="made episodes per source")
    parser.add_argument("--joints-may-correct", action="store_true", help="let a vote by joints move actions")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    threadpool_limits(1)
    sync = Sync(AlignSpec(joints_may_correct=options.joints_may_correct))
    sources = {**made(options.episodes), **simulated(), **real()}
    own = {name: sync.own_lag_s(name, recordings) for name, recordings in sources.items()}
    lags, moved_wrongly = print_lags(sync, sources, own), print_broken(sync, sources, own)
    return 0 if lags.moved_wrongly + moved_wrongly == 0 and lags.p95_frames <= 1.0 else 1


if __name__ == "__main__":
    sys.exit(main())
