"""What can go wrong in clusters and balance beyond a broken input."""

from pipeline.errors import JoineryError


class BalanceError(JoineryError):
    """The recipe's balance section excludes every distribution, or the solver cannot meet its tolerance."""
