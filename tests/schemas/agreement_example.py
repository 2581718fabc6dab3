"""The document `joinery review agreement` writes, with a few numbers in it."""

from typing import Any


def level(pairs: int, wrong: tuple[int, int], bad: tuple[int, int]) -> dict[str, Any]:
    raters = {
        "episodes": min(pairs, 2),
        "pairs": pairs,
        "boundary_f1": {"0.25 s": {"mean": 0.81, "best": 0.85}},
        "slots": {},
    }
    machine = {name: {"n": n, "of": of, "share": None} for name, (n, of) in (("events", wrong), ("episodes", bad))}
    return {"raters": {"all": raters, "blind": raters, "shown": raters}, "machine": machine}


AGREEMENT: dict[str, Any] = {
    "joinery_agreement": 1,
    "at_rev": 7,
    "shared": 2,
    "audited": 4,
    "by_level": {
        "levels": {"task": level(0, (0, 0), (0, 0)), "action": level(3, (4, 80), (2, 4))},
        "moved_frames": {"0": 3},
    },
}
