"""What mlcroissant makes of a set's ``croissant.json``: validated, and every record set loaded to the last row.

Its `validate` opens no file, so a wrong digest or a missing column shows only on loading. It warns of what the
specification requires (licence, date), so a warning counts as an error here. It works without a network.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from pipeline.cards.folder import CROISSANT

STATE = "state `released` (and what else is missing) in the card"


def is_installed() -> bool:
    """Whether mlcroissant is here; a set can be made and read without it."""
    return find_spec("mlcroissant") is not None


def croissant_problems(folder: Path) -> Iterator[str]:
    """Everything mlcroissant minds about a set on this machine, in sentences."""
    import mlcroissant  # noqa: PLC0415 - takes a second, and is no part of an installation

    with _listening() as heard:
        try:
            dataset = mlcroissant.Dataset(str(folder / CROISSANT))
        except Exception as error:  # noqa: BLE001 - whatever a foreign library raises about this file is the finding
            yield f"{CROISSANT}: mlcroissant refuses it ({_said(error)})"
            return
        issues = dataset.metadata.ctx.issues
        for said in sorted({*map(str, issues.errors), *map(str, issues.warnings)}):
            yield f"{CROISSANT}: mlcroissant says: {' '.join(said.split())}; {STATE}"
        for record_set in dataset.metadata.record_sets:
            try:
                for _ in dataset.records(record_set.id):
                    pass
            except Exception as error:  # noqa: BLE001 - as above
                yield f"{CROISSANT}: mlcroissant cannot load record set '{record_set.id}' ({_said(error)})"
    yield from (
        f"{CROISSANT}: mlcroissant warns: {said}" for said in heard if "recommended, but does not exist" not in said
    )


def _said(error: BaseException) -> str:
    """The whole chain of causes: mlcroissant keeps what went wrong in the last one."""
    parts = []
    link: BaseException | None = error
    while link is not None:
        parts.append(" ".join(f"{type(link).__name__}: {link}".split()))
        link = link.__cause__ or link.__context__
    return " <- ".join(parts)


@contextmanager
def _listening() -> Iterator[list[str]]:
    """What absl logs as a warning or worse, which is how mlcroissant warns."""
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.WARNING:
                heard.append(" ".join(record.getMessage().split()))

    logger, listener = logging.getLogger("absl"), Listener()
    before = logger.handlers[:], logger.propagate
    logger.handlers, logger.propagate = [listener], False
    try:
        yield heard
    finally:
        logger.handlers, logger.propagate = before
