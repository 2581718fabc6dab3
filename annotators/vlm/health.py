"""How one endpoint is, and when it may be asked again: a circuit breaker whose clock is an argument.

After a fault an endpoint rests, twice as long after each further one. Then a single request may try it; the others
follow when that one is answered. So a server that hangs costs one timeout per rest and not one per request, and a
server that comes back is not met by everything at once. There is no jitter: pauses are the same in every run.
"""

from dataclasses import dataclass

from annotators.vlm.fault import Fault, Kind


@dataclass
class Health:
    """The state of one endpoint. ``now`` is any monotonic clock."""

    concurrency: int
    first_pause_s: float
    longest_pause_s: float
    checked: bool = False
    """It has proved since its last outage that it serves the model and enforces schemas."""
    in_flight: int = 0
    faults: int = 0
    """Since the last answer."""
    rested_at: float = 0.0
    """Nothing is asked before."""
    down_since: float | None = None
    last: str = ""
    """The last fault, for messages."""
    noted_at: float = 0.0
    """When it was noted."""

    def has_room(self, now: float) -> bool:
        """Whether another request may go there now."""
        return now >= self.rested_at and self.in_flight < (self.concurrency if self._well else 1)

    @property
    def _well(self) -> bool:
        return self.checked and self.faults == 0

    def answered(self) -> None:
        """Something came back that shows the server at work."""
        self.faults, self.down_since = 0, None

    def failed(self, fault: Fault, asked_at: float, now: float) -> None:
        """Note a fault of a try that began at ``asked_at``. Tries that one crash ends together are one fault."""
        self.last = fault.message
        if self.down_since is None:
            self.down_since = now
        if fault.kind is not Kind.BUSY:
            self.checked = False
        wanted = fault.retry_after_s or 0.0
        if self.faults and asked_at < self.noted_at:
            self.rested_at = max(self.rested_at, now + wanted)
            return
        self.faults += 1
        self.noted_at = now
        pause = min(self.first_pause_s * 2.0 ** min(self.faults - 1, 60), self.longest_pause_s)
        self.rested_at = now + max(pause, wanted)
