"""How the server says no: a status, and where, what was found, what was expected and what to do."""

from __future__ import annotations

from fastapi.responses import JSONResponse


class RefusalError(Exception):
    """An answer other than what was asked for."""

    def __init__(self, status: int, what: str, *, found: object = None, expected: object = None, do: str = "") -> None:
        super().__init__(what)
        self.status, self.what, self.found, self.expected, self.do = status, what, found, expected, do

    def response(self) -> JSONResponse:
        """As it goes to the client."""
        said = {"what": self.what, "found": self.found, "expected": self.expected, "do": self.do}
        return JSONResponse({"error": said}, self.status)
