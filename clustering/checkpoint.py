"""Which weights an encoder uses, by content: a checkpoint that moves is still the same checkpoint."""

import hashlib
from functools import cache
from pathlib import Path

from pipeline.errors import JoineryError
from schemas.recipe import DefaultEncoder, OpenClipEncoder


def weights_of(spec: DefaultEncoder | OpenClipEncoder) -> str:
    """The checkpoint's SHA-256, ``random-<seed>`` without one, empty for the encoder that has no weights.

    Raises JoineryError when the file is missing.
    """
    if isinstance(spec, DefaultEncoder):
        return ""
    if spec.checkpoint is None:
        return f"random-{spec.seed}"
    path = Path(spec.checkpoint)
    if not path.is_file():
        raise JoineryError(
            f"embed.vision_language.checkpoint: {path} is not a file; expected a local checkpoint, or none at all"
        )
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@cache
def _sha256(path: Path, _size: int, _changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
