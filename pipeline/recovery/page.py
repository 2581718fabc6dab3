"""Pages for people: the plan as a person at a robot works through it, and what came of a rollout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

import numpy as np

from schemas.recovery_plan import (
    CollectionPlan,
    PlannedEvent,
    PlannedPose,
    RolloutResult,
    RolloutStatus,
    Start,
    StartKind,
)
from schemas.time import NS_PER_S

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1c1c1c }
h2 { margin: 2.2rem 0 .2rem; font-size: 1.1rem } .id { color: #666; font-size: .8rem; font-family: monospace }
figure { float: right; margin: 0 0 1rem 1rem } figure img { width: 16rem; border-radius: 4px }
figcaption { font-size: .8rem; color: #666 }
table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums }
th, td { padding: .15rem .5rem; text-align: right; white-space: nowrap }
th { font-weight: 600; border-bottom: 1px solid #bbb }
th:nth-child(2), td:nth-child(2) { text-align: left; white-space: normal }
.off { color: #a33 } .control { color: #667 }
section { clear: both } .wide { overflow-x: auto }
"""


def plan_page(plan: CollectionPlan) -> str:
    """The plan as one HTML page; its pictures lie beside it."""
    usable = [event for event in plan.events if event.usable]
    left_out = [event for event in plan.events if not event.usable]
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Collection plan {escape(plan.plan_id)}</title><style>{_STYLE}</style>",
        "<h1>Collection plan: recoveries</h1>",
        f"<p class='id'>{escape(plan.plan_id)}</p>",
        f"<p>{_summary(plan, usable)}</p>",
        "<ol><li>Set the scene up as the picture shows it.</li><li>Bring the arm to the start, gripper open as stated. "
        "Skip a start that would collide, and note why.</li><li>Record from there: go to the contact pose, do the "
        "event, finish the task. Failures count too; say so in <code>recording.json</code>.</li></ol>",
        "<p>Positions are metres, rotations quaternions x y z w, both in the frame named with the event. "
        "A <em>control</em> starts at the contact pose itself.</p>",
        *(_event_section(event) for event in usable),
    ]
    if left_out:
        parts.append(f"<section><h2>Not usable: {len(left_out)}</h2><div class='wide'><table><tr><th>at<th>event<th>")
        parts += [_left_out_row(event) for event in left_out]
        parts.append("</table></div></section>")
    return "\n".join(parts) + "\n"


def _summary(plan: CollectionPlan, usable: Sequence[PlannedEvent]) -> str:
    spec = plan.recover
    starts = [start for event in usable for start in event.usable]
    perturbed = sum(start.kind is StartKind.PERTURBED for start in starts)
    said = (
        f"{len(usable)} contacts, {len(starts)} starts: {perturbed} within {1000 * spec.radius_m:g} mm and "
        f"{spec.angle_deg:g}° of a contact pose, {len(starts) - perturbed} controls."
    )
    if plan.n_contacts > len(plan.events):
        said += f" The run has {plan.n_contacts} contacts; recover.max_events keeps {len(plan.events)}."
    return said


def _event_section(event: PlannedEvent) -> str:
    assert event.nominal is not None
    picture = ""
    if event.picture:
        at = f"{event.source}, {event.scene_ns / NS_PER_S:.2f} s"
        picture = (
            f"<figure><img src='{escape(event.picture)}' alt='the scene'><figcaption>{escape(at)}</figcaption></figure>"
        )
    rows = "".join(_start_row(start) for start in event.starts)
    return (
        f"<section><h2>{escape(event.caption or event.verb)}</h2>{picture}"
        f"<div class='id'>{escape(event.event_id)}<br>{escape(event.episode_id)}</div>"
        f"<p>Task: {escape(event.instruction or 'not stated')}. The {escape(str(event.arm))} arm of "
        f"{escape(event.embodiment)}, gripper {_percent(event.opening)} open, frame {escape(event.frame)}.</p>"
        f"<div class='wide'><table><tr><th>#<th>start<th>x<th>y<th>z<th>qx<th>qy<th>qz<th>qw<th>away<th>turned</tr>"
        f"<tr><td><td>contact pose{_pose_cells(event.nominal)}<td><td></tr>{rows}</table></div></section>"
    )


def _start_row(start: Start) -> str:
    control = start.kind is StartKind.NOMINAL
    what = "control" if control else "start"
    what = f"{what}: {escape(start.problem)}" if start.problem else what
    style = "off" if start.problem else "control" if control else ""
    away = f"<td>{1000 * start.distance_m:.1f} mm<td>{np.degrees(start.angle_rad):.1f}°"
    return f"<tr class='{style}' id='{start.start_id}'><td>{start.index}<td>{what}{_pose_cells(start.pose)}{away}</tr>"


def _pose_cells(pose: PlannedPose) -> str:
    return "".join(f"<td>{value:.4f}" for value in (*pose.position_m, *pose.quaternion_xyzw))


def _left_out_row(event: PlannedEvent) -> str:
    why = event.problem or "no start can be used: " + "; ".join(sorted({start.problem for start in event.starts}))
    at = f"{event.source} {event.contact_ns / NS_PER_S:.2f} s"
    return f"<tr id='{event.event_id}'><td>{escape(at)}<td>{escape(event.caption or event.verb)}<td>{escape(why)}</tr>"


def _percent(opening: float | None) -> str:
    return "as it was" if opening is None else f"{100 * opening:.0f} %"


def rollout_page(plan_id: str, simulator: str, results: Sequence[RolloutResult]) -> str:
    """What came of a plan's starts, as Markdown."""
    recorded = [result for result in results if result.status is RolloutStatus.RECORDED]
    lines = [f"# Recoveries from {plan_id}", "", f"Rolled out in {simulator}.", ""]
    lines += ["| | starts | recorded | came back | task done | failed | not known |", "|---|---|---|---|---|---|---|"]
    for verb in sorted({result.verb for result in results}):
        for kind in StartKind:
            lines += _verb_row(verb, kind, [r for r in results if r.verb is verb and r.kind is kind])
    lines += [
        "",
        f"{len(results) - len(recorded)} starts have no recording, {_failed(recorded)} recordings are failures:",
    ]
    reasons = Counter((r.status, _general(r.reason)) for r in results if r.reason)
    lines += ["", "| what | why | starts |", "|---|---|---|"]
    lines += [f"| {status} | {why} | {n} |" for (status, why), n in sorted(reasons.items(), key=lambda item: -item[1])]
    return "\n".join(lines) + "\n"


def _verb_row(verb: str, kind: StartKind, results: Sequence[RolloutResult]) -> list[str]:
    if not results:
        return []
    recorded = [result for result in results if result.status is RolloutStatus.RECORDED]
    done = [sum(result.success is outcome for result in recorded) for outcome in (True, False, None)]
    back = sum(bool(result.recovered) for result in recorded)
    cells = (len(results), len(recorded), back, *done)
    return [f"| {verb}, {kind} | {' | '.join(map(str, cells))} |"]


def _failed(recorded: Sequence[RolloutResult]) -> int:
    return sum(result.success is False for result in recorded)


def _general(reason: str) -> str:
    """A reason without its numbers, so that equal ones are counted together."""
    words = ["…" if any(map(str.isdigit, word)) else word for word in reason.replace("|", "/").split()]
    return " ".join(word for i, word in enumerate(words) if word != "…" or words[i - 1 : i] != ["…"])
