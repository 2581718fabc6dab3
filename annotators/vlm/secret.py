"""Keys of servers: read where they are used, and shown by nothing that prints, logs or stores."""

import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import ServiceError
from schemas.recipe_vlm import ApiKey

TELLING = 4
"""Characters of a key's beginning that are not shown either."""


@dataclass(frozen=True)
class Secret:
    """A text that does not show itself; `reveal` is for the one place that sends it."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        return self._text

    def blanked(self, message: str) -> str:
        """The message without the secret: servers like to quote what they were sent.

        Without its beginnings too, since what is quoted may have been cut short before.
        """
        for end in range(len(self._text), min(TELLING, len(self._text)) - 1, -1):
            message = message.replace(self._text[:end], "***")
        return message

    def __str__(self) -> str:
        return "***"


def read_key(place: ApiKey, url: str) -> Secret:
    """The key of the endpoint at ``url``. Raises ServiceError naming the place when there is no key in it."""
    if place.env is not None:
        found, where = os.environ.get(place.env, ""), f"the environment variable {place.env}"
        advice = "export it where the run is started"
    else:
        where, advice = f"the file {place.file}", "write the key into it, and nothing else"
        try:
            found = Path(place.file or "").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ServiceError(f"{url}: cannot read its key from {where} ({type(error).__name__}); {advice}") from None
    key = found.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        problem = "found no key" if not key else "what stands there is no key"
        raise ServiceError(f"{url}: {problem} in {where} on {socket.gethostname()}; {advice}")
    return Secret(key)
