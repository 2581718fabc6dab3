"""The folders of plans and rollouts on disk."""

from pathlib import Path

from pydantic import ValidationError

from pipeline.errors import JoineryError
from pipeline.recovery.demonstration import Demonstration, from_npz
from schemas.recovery_plan import PLAN, CollectionPlan, PlannedEvent


def write(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there: what is there is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def load_plan(path: Path) -> tuple[CollectionPlan, Path]:
    """A plan by its file or folder, and the folder. Raises JoineryError when there is none, or it is not right."""
    file = path / PLAN if path.is_dir() else path
    try:
        return CollectionPlan.model_validate_json(file.read_bytes()), file.parent
    except OSError as error:
        advice = "make one with `joinery recover plan`"
        raise JoineryError(f"{file}: no collection plan ({error.strerror}); {advice}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        advice = "make it again with `joinery recover plan`"
        raise JoineryError(f"{file}: {where}: {first['msg'].lower()}; {advice}") from error


def load_demonstration(folder: Path, event: PlannedEvent) -> Demonstration:
    """What an event's demonstration did. Raises JoineryError when its file is not there or not right."""
    path = (folder / event.demonstration).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise JoineryError(f"{event.demonstration}: lies outside of the plan's folder; make the plan again")
    try:
        return from_npz(path.read_bytes())
    except (OSError, ValueError) as error:
        raise JoineryError(f"{path}: {error}; make the plan again with `joinery recover plan`") from error
