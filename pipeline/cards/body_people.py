"""The sections of a card that rest on what people state, each beside what was counted of the same thing."""

from typing import Any

from pipeline.cards.blocks import Block, Bullets, Prose, Section, Terms, table
from pipeline.cards.words import NOTHING, counted, listed, number, plural, rate, share, stated
from schemas.agreement import AgreementReport
from schemas.data_card import NOT_STATED, CameraNote, DataCard, Embodiment, Person
from schemas.time import NS_PER_S

Facts = dict[str, Any]
NOT_MEASURED = "not measured"
CLOSE = (
    "Pictures of the master view are counted from 0 in the order they are shown; spans are half-open: an "
    "event ends with the "
    "frame the next one starts with. Times are the pictures' own, in nanoseconds, never frame number by rate."
)


def uses(card: DataCard) -> Section:
    """What it is for."""
    blocks: list[Block] = []
    for title, items in (
        ("Made for", card.uses.intended),
        ("Not made for", card.uses.out_of_scope),
        ("Decisions that affect what a model learns", card.uses.decisions),
    ):
        if items:
            blocks += [Prose(f"{title}:"), Bullets(tuple(items))]
        else:
            blocks.append(Terms(((title, NOT_STATED),)))
    blocks.append(Terms((("Social impact", stated(card.uses.social_impact)),)))
    return Section("Uses", tuple(blocks))


def robots(card: DataCard, facts: Facts) -> Section:
    """What moved, and what watched."""
    described = {of.name: of for of in card.embodiments}
    rows = []
    for row in facts["embodiments"]:
        of = described.get(row["embodiment"])
        rate_hz = row["n_action_rows"] / (row["duration_ns"] / NS_PER_S) if row["n_action_rows"] else 0.0
        rows.append(
            (
                row["embodiment"],
                row["action_kind"],
                number(row["n_episodes"]),
                number(row["n_samples"]),
                f"{rate_hz:.1f}" if rate_hz else NOTHING,
                str(len(row["state_columns"])) if row["state_columns"] else NOTHING,
                str(len(row["action_relative_columns"])) if row["action_relative_columns"] else NOTHING,
                _embodiment(of) if of else NOT_STATED,
            )
        )
    notes = {of.name: of for of in card.cameras}
    cameras = [
        (
            f"`{row['name']}`",
            row["role"].replace("_", " "),
            f"{row['width']}×{row['height']}",
            f"{row['n_pictures'] / (row['duration_ns'] / NS_PER_S):.2f}" if row["duration_ns"] else NOTHING,
            share(row["n_varying"], row["n_episodes"]),
            share(row["n_with_intrinsics"], row["n_episodes"]),
            share(row["n_with_extrinsics"], row["n_episodes"]),
            _camera(notes[row["name"]]) if row["name"] in notes else NOT_STATED,
        )
        for row in facts["cameras"]
    ]
    return Section(
        "Robots and sensors",
        (
            table(
                "embodiment | actions | episodes# | samples# | rows per second# | known state columns# | "
                "action columns# | as its makers describe it",
                rows,
            ),
            table(
                "camera | role | recorded size | pictures per second# | at varying rate | with intrinsics | "
                "with extrinsics | mount and calibration",
                cameras,
            ),
            Prose(
                "States and actions have 20 columns, left arm 0 to 9, right arm 10 to 19: position in "
                "metres (3), the first two "
                "rows of the rotation matrix (6), opening from 0 closed to 1 open (1); absolute, in the "
                "robot's base frame. "
                "Columns a source does not have are zeros and marked unknown in `known`."
            ),
        ),
    )


def _embodiment(of: Embodiment) -> str:
    world = {None: "", True: "simulated", False: "real"}[of.simulated]
    rate_hz = f"at {of.control_rate_hz:g} Hz" if of.control_rate_hz else ""
    parts = (
        world,
        plural(of.arms, "arm") if of.arms is not None else "",
        of.hand,
        plural(of.degrees_of_freedom, "degree of freedom", "degrees of freedom") if of.degrees_of_freedom else "",
        " ".join(filter(None, (of.control_mode, rate_hz))),
        f"moved by {of.teleoperation}" if of.teleoperation else "",
    )
    return "; ".join(filter(None, parts)) or NOT_STATED


def _camera(of: CameraNote) -> str:
    return "; ".join(filter(None, (of.mount, of.calibration))) or NOT_STATED


def collection(card: DataCard, facts: Facts) -> Section:
    """How it was recorded."""
    of = card.collection
    days = f"{of.first_day or '?'} to {of.last_day or '?'}" if of.first_day or of.last_day else NOT_STATED
    operators = of.operators
    who = f"{operators.number or 'unknown number'}; {operators.skill or 'skill not stated'}"
    return Section(
        "Collection",
        (
            Terms(
                (
                    ("Sites", stated(of.sites)),
                    ("Scenes", stated(of.scenes)),
                    ("Operators", who if operators.number or operators.skill else NOT_STATED),
                    ("Consent form", stated(of.consent)),
                    ("Period", days),
                    ("What was chosen", stated(of.sampling)),
                    ("Failed attempts", stated(of.failures)),
                    ("Resets", stated(of.resets)),
                    ("Missing", stated(of.missing)),
                    ("Kinds of sources", counted(_by(facts["sources"], "kind"))),
                )
            ),
        ),
    )


def _by(rows: list[Facts], key: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows:
        found[row[key]] = found.get(row[key], 0) + row["n_episodes"]
    return found


def annotation(card: DataCard, facts: Facts) -> Section:
    """Who cut and named, who looked, and how right they are."""
    of, made = card.annotation, facts["annotation"]
    states = ("accepted", "edited", "rejected", "proposed")
    levels = []
    for name, level in facts["levels"].items():
        seen = level["n"] - level["n_proposed"]
        levels.append(
            (
                name,
                number(level["n"]),
                share(seen, level["n"]) if level["n"] else NOTHING,
                *(f"{100 * level[f'n_{state}'] / seen:.1f} %" if seen else NOTHING for state in states[:3]),
                stated(getattr(of, name)),
            )
        )
    report = of.agreement
    blocks: list[Block] = [
        Terms(
            (
                ("Boundaries by", counted(made["boundaries_by"])),
                ("Captions by", counted(made["captions_by"])),
                ("Prompts", listed(f"`{prompt[:16]}`" for prompt in made["prompts"])),
                ("Boundary rule", stated(of.boundary_rule)),
                ("Frames", CLOSE),
                ("Guidelines", stated(" ".join(filter(None, (of.guidelines, of.guidelines_version))))),
                ("Looked at with", stated(of.platform)),
                ("Raters per item", stated(of.raters_per_item)),
                ("Raters", stated(of.raters)),
                ("The detector asked for a second look at", share(made["n_second_look"], made["n_events"])),
            )
        ),
        table("level | events# | reviewed by people# | accepted# | edited# | rejected# | what one event is", levels),
        *_agreement(report, facts),
    ]
    if of.failure_modes:
        blocks += [Prose("Known failure modes:"), Bullets(tuple(of.failure_modes))]
    else:
        blocks.append(Terms((("Known failure modes", NOT_STATED),)))
    return Section("Annotation", tuple(blocks))


def _agreement(report: AgreementReport | None, facts: Facts) -> list[Block]:
    blind = [
        (name, tolerance, f"{f1.mean:.3f}", f"{f1.best:.3f}", number(of.pairs), number(of.episodes))
        for name, level in (report.by_level.levels if report else {}).items()
        for of in (level.raters.blind,)
        for tolerance, f1 in of.boundary_f1.items()
        if of.pairs
    ]
    wrong = [(name, rate(parts["events"]), rate(parts["episodes"])) for name, parts in facts["audit"].items()]
    columns = (
        "agreement of raters who look blind | within | boundary F1# | with the nearest rater# | pairs# | episodes#"
    )
    blocks: list[Block] = [table(columns, blind)] if blind else []
    if any(NOT_MEASURED not in row for row in wrong):
        blocks.append(table("audit, a random sample | events the machine had wrong# | episodes with any#", wrong))
    open_ = [("Agreement of people who look blind", NOT_MEASURED)] * (not blind)
    open_ += [("Error rate of the audit", NOT_MEASURED)] * all(NOT_MEASURED in row for row in wrong)
    return [*blocks, Terms(tuple(open_))] if open_ else blocks


def people(card: DataCard, facts: Facts) -> Section:
    """Who can be seen, and how to be taken out."""
    of = card.people
    rows = [
        (
            str(handling.subject).replace("_", " "),
            handling.method,
            stated(handling.version),
            rate(found["missed"]),
            f"{number(handling.n_checked)} {handling.unit}",
        )
        for handling, found in zip(of.personal_data, facts["personal_data"], strict=True)
    ]
    consents = sorted({row["consent"] for row in facts["sources"]})
    answer = f", answered within {plural(of.takedown_days, 'day')}" if of.takedown_days else ""
    handled: Block = (
        table("personal data | method | version | missed, measured# | checked#", rows)
        if rows
        else Terms(
            (("Faces, number plates, screens, voices, places", "handling not stated; Joinery removes none of them"),)
        )
    )
    return Section(
        "People and personal data",
        (
            Terms(
                (
                    ("Consent, as sources state it", "; ".join(consents) or NOT_STATED),
                    ("People visible", stated(of.visible)),
                    ("Wearers of cameras", stated(of.wearer_consent)),
                    ("Bystanders", stated(of.bystanders)),
                    ("Minors", stated(of.minors)),
                    ("Sound", of.audio or "clips have none; recordings: not stated"),
                )
            ),
            handled,
            Terms(
                (
                    ("Takedown", f"{of.takedown_contact}{answer}" if of.takedown_contact else stated(card.contact)),
                    ("Access", f"after agreement to: {of.gate.prompt}" if of.gate else "not gated"),
                )
            ),
        ),
    )


def limits(card: DataCard, facts: Facts) -> Section:
    """What is known to be missing or askew."""
    of, episodes = card.biases, facts["episodes"]
    unverified = sum(row["n_episodes"] for row in facts["sync"] if row["verdict"] == "unverified")
    clip = facts["clip"]
    found = [
        f"Clips are re-encoded H.264 without sound, short side {clip['short_side']} pixels at most, a key frame every "
        f"{clip['gop']} pictures, CRF {clip['crf']}; the recordings themselves are unchanged.",
        "Captions and boundaries nobody reviewed are machine-made; boundary confidences are estimates.",
    ]
    for n, words in (
        (unverified, "the clocks of video and actions could not be verified"),
        (episodes["n_without_actions"], "there are no actions, and action arrays are empty"),
        (episodes["n_with_estimated_actions"], "actions are estimated, not measured"),
    ):
        if n:
            found.append(f"In {share(n, episodes['n'])} episodes {words}.")
    return Section(
        "Biases and limits",
        (
            Bullets((*of.known, *found)),
            Terms(
                (
                    *((("Known biases", NOT_STATED),) if not of.known else ()),
                    ("Geography", stated(of.geography)),
                    ("Handedness", stated(of.handedness)),
                    ("Cameras", stated(of.cameras)),
                )
            ),
        ),
    )


def upkeep(card: DataCard, facts: Facts) -> Section:
    """Who keeps it up, how to cite it, and how to know it is this."""
    of = card.maintenance
    blocks: list[Block] = [
        Terms(
            (
                ("Version", card.version if card.version != "0.0.0" else "0.0.0, not released"),
                ("Released", stated(card.released)),
                ("Creators", "; ".join(map(_person, card.creators)) or NOT_STATED),
                ("Contact", card.contact),
                ("Where", stated(card.url)),
                ("DOI", stated(card.doi)),
                ("Citation", stated(card.citation)),
                ("Owner", stated(of.owner)),
                ("Cadence", stated(of.cadence)),
                ("Deprecation", stated(of.deprecation)),
                ("Content", f"`{facts['content_sha256']}` (SHA-256 of the list of all data files)"),
            )
        )
    ]
    if of.errata:
        blocks += [Prose("Errata:"), Bullets(tuple(of.errata))]
    if card.changelog:
        changes = [(change.version, str(change.day), change.changes) for change in card.changelog]
        blocks.append(table("version | day | changes", changes))
    return Section("Upkeep", tuple(blocks))


def _person(of: Person) -> str:
    return f"{of.name} ({of.affiliation})" if of.affiliation else of.name
