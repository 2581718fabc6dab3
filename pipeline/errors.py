"""Errors that teach: where, what was found, what was expected, what to do next."""


class JoineryError(Exception):
    """An error whose message a user can act on; the CLI prints it without a traceback.

    What cannot be written as UTF-8, such as half of a character out of a damaged file, is a question mark in it.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(message.encode("utf-8", "replace").decode())


class SourceError(JoineryError):
    """A recording or its metadata is not what its format says."""


class StoreError(JoineryError):
    """The workspace cannot be read or written as it stands."""


class ConflictError(StoreError):
    """Somebody else changed the same thing at the same time, and theirs stands; look at it, then decide."""


class ServiceError(JoineryError):
    """A service the run depends on is down or refuses us: no item's fault, so the run ends, nothing is quarantined."""


class UnreachableError(ServiceError):
    """An object store does not answer, or answers with errors, for longer than we try; a disk is not on this node."""


def store_fault(error: BaseException) -> UnreachableError | None:
    """The store's fault behind an error: readers of formats say that a file is damaged when its bytes do not come."""
    seen: list[BaseException] = []
    here: BaseException | None = error
    while here is not None and here not in seen:
        if isinstance(here, UnreachableError):
            return here
        seen.append(here)
        here = here.__cause__ or here.__context__
    return None
