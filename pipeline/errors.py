"""Errors that teach: where, what was found, what was expected, what to do next."""


class JoineryError(Exception):
    """An error whose message a user can act on; the CLI prints it without a traceback."""


class SourceError(JoineryError):
    """A recording or its metadata is not what its format says."""


class StoreError(JoineryError):
    """The workspace cannot be read or written as it stands."""
