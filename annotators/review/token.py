"""The secret in the printed address: kept in the folder, so that a page that was open goes on after a restart."""

from __future__ import annotations

import os
import secrets

from annotators.review.folder import ReviewFolder


def kept_token(folder: ReviewFolder) -> str:
    """The folder's token, made at the first call; only its owner can read the file."""
    path = folder.root / "token"
    if not path.is_file():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24))
    return path.read_text(encoding="utf-8").strip()
