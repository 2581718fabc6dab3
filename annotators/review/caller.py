"""Who asks, as the guard found out; routes take it from the request and never from its content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from annotators.review.refusal import RefusalError
from annotators.review.review import Review
from annotators.review.role import Role


@dataclass(frozen=True)
class Caller:
    """One person with a session."""

    actor: str
    role: Role
    csrf: str

    def must_be(self, role: Role) -> None:
        """Raises RefusalError for somebody with a lesser role."""
        if not self.role.covers(role):
            raise RefusalError(403, "role", found=self.role, expected=f"{role} or more", do="ask an admin for the role")


def _caller(request: Request) -> Caller:
    caller: Caller = request.scope["caller"]
    return caller


def _review(request: Request) -> Review:
    review: Review = request.app.state.review
    return review


CallerOf = Annotated[Caller, Depends(_caller)]
ReviewOf = Annotated[Review, Depends(_review)]
