"""``policy.json`` of a checkpoint: the configuration the model was trained with, and the bodies it can act for.

With it a checkpoint folder is all that inference needs. Plain JSON, checked when read: a setting this version does not
know is an error, since ignoring it would act otherwise than the model was trained to.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trainer.checkpoint import RECORD, newest
from trainer.configs import TrainConfig
from trainer.embodiment import Embodiment, embodiment_from

_CONFIG: TypeAdapter[TrainConfig] = TypeAdapter(TrainConfig)


@dataclass(frozen=True, eq=False)
class PolicyRecord:
    """What ``policy.json`` says."""

    config: TrainConfig
    embodiments: tuple[Embodiment, ...]

    def embodiment(self, group: str | None) -> Embodiment:
        """The one of this name, or the only one. Raises ValueError listing them when that says nothing."""
        known = {each.group: each for each in self.embodiments}
        if group is None and len(known) == 1:
            return self.embodiments[0]
        if group in known:
            return known[group]
        asked = "no embodiment was named" if group is None else f"no embodiment {group!r}"
        raise ValueError(f"{asked}; the model was trained on actions of {sorted(known) or 'none'}: name one of them")


def written(config: TrainConfig, embodiments: Sequence[Embodiment]) -> str:
    """The text of ``policy.json``."""
    values = {
        "config": _CONFIG.dump_python(config, mode="json"),
        "embodiments": [embodiment.to_json() for embodiment in embodiments],
    }
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def read_record(folder: Path) -> PolicyRecord:
    """Raises ValueError for a folder without one, or one this version does not understand."""
    path = folder / RECORD
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        config = _CONFIG.validate_python(values["config"])
        embodiments = tuple(embodiment_from(each) for each in values["embodiments"])
    except (OSError, KeyError, TypeError, ValueError, ValidationError) as error:
        raise ValueError(
            f"{path}: cannot be read as a policy's record ({error}); expected a checkpoint of `joinery train`"
        ) from error
    unknown = sorted(_unknown(values["config"], _CONFIG.dump_python(config, mode="json")))
    if unknown:
        raise ValueError(
            f"{path}: settings this version does not know: {', '.join(unknown)}; use the version that wrote it"
        )
    return PolicyRecord(config, embodiments)


def _unknown(found: Any, known: Any, name: str = "") -> Iterator[str]:
    """Keys of ``found`` that are not in ``known``, dotted."""
    if isinstance(found, Mapping):
        for key, value in found.items():
            if isinstance(known, Mapping) and key in known:
                yield from _unknown(value, known[key], f"{name}{key}.")
            else:
                yield f"{name}{key}"
    elif isinstance(found, list) and isinstance(known, list):
        for index, (own, other) in enumerate(zip(found, known, strict=True)):
            yield from _unknown(own, other, f"{name}{index}.")


def checkpoint_folder(path: Path) -> Path:
    """A checkpoint, given itself or the folder of its run, of which it is the newest.

    Raises FileNotFoundError when there is none.
    """
    if (path / RECORD).is_file():
        return path
    found = newest(path)
    if found is None:
        raise FileNotFoundError(
            f"{path}: no checkpoint there; name the folder `joinery train --out` wrote, or a step of it"
        )
    return found
