"""Which weights an encoder uses, by content: a checkpoint that moves is still the same checkpoint."""

import hashlib
import importlib.util
from functools import cache
from pathlib import Path

from pipeline.errors import JoineryError
from schemas.recipe import DefaultEncoder, OpenClipEncoder

KEY = "embed.vision_language"


def weights_of(spec: DefaultEncoder | OpenClipEncoder) -> str:
    """The checkpoint's SHA-256, ``random-<seed>`` without one, empty for the encoder that has no weights.

    Raises JoineryError when the file is missing, or not the one that the recipe pins.
    """
    if isinstance(spec, DefaultEncoder):
        return ""
    if spec.checkpoint is None:
        return f"random-{spec.seed}"
    path = Path(spec.checkpoint)
    if not path.is_file():
        raise JoineryError(f"{KEY}.checkpoint: {path} is not a file; expected a local checkpoint, or none at all")
    stat = path.stat()
    found = _sha256(path, stat.st_size, stat.st_mtime_ns)
    if spec.sha256 is not None and found != spec.sha256:
        raise JoineryError(
            f"{KEY}.sha256: {path} has {found}, expected {spec.sha256}; put the pinned checkpoint there, the same on "
            "every machine, or change the pin"
        )
    return found


def architecture_of(spec: DefaultEncoder | OpenClipEncoder) -> str:
    """SHA-256 of open_clip's description of the architecture, which a release may change under the same name.

    Read without importing open_clip. Raises JoineryError for a name it does not describe.
    """
    if isinstance(spec, DefaultEncoder):
        return ""
    found = importlib.util.find_spec("open_clip")
    if found is None or not found.submodule_search_locations:
        raise JoineryError(f"{KEY}: open_clip is not installed; `pip install open-clip-torch`, or encoder: default")
    folder = Path(next(iter(found.submodule_search_locations))) / "model_configs"
    names = {path.stem: path for path in sorted(folder.glob("*.json"))}
    if spec.model not in names:
        raise JoineryError(
            f"{KEY}.model: found {spec.model!r}, expected one of open_clip's architectures such as ViT-B-32; "
            "`open_clip.list_models()` in Python names them all"
        )
    return hashlib.sha256(names[spec.model].read_bytes()).hexdigest()


@cache
def _sha256(path: Path, _size: int, _changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
