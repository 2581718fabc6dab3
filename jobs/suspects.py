"""Finding the item that kills its workers, among those that were at work when they died.

A decoder that crashes takes its process along, and with it whatever else the process was doing. Such a batch is done
again in processes of its own, halved until a single item is left. An item whose process dies every time by its own
doing goes to quarantine like any other bad item; everything else of the batch is done. A process killed from outside,
as when somebody else fills the machine's memory, is no item's fault: the run ends and nothing is quarantined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from jobs.alone import Death
from jobs.worker import Batch
from pipeline.attempt import Attempt
from pipeline.errors import StoreError
from schemas.finding import Failure

DEATHS = 3
"""How often an item must kill its process, alone, to be believed."""
ERROR = "WorkerDied"
"""What `joinery why` calls it; there is no exception to name."""


def without_killers(batch: Batch, alone: Callable[[Batch], Attempt | Death]) -> Iterator[Attempt]:
    """The attempts of a batch whose worker died, with items that kill theirs as failures.

    ``alone`` does a batch in a process of its own. Raises StoreError when processes are killed from outside.
    """
    found = alone(batch)
    if isinstance(found, Attempt):
        yield found
    elif len(batch.items) > 1:
        middle = len(batch.items) // 2
        for items in (batch.items[:middle], batch.items[middle:]):
            yield from without_killers(replace(batch, items=items), alone)
    else:
        yield _tried_again(batch, found, alone)


def _tried_again(batch: Batch, first: Death, alone: Callable[[Batch], Attempt | Death]) -> Attempt:
    deaths = [first]
    while len(deaths) < DEATHS:
        found = alone(batch)
        if isinstance(found, Attempt):
            return found
        deaths.append(found)
    (item,) = batch.items
    hows = ", ".join(dict.fromkeys(death.how for death in deaths))
    if not all(death.own_doing for death in deaths):
        raise StoreError(
            f"stage {batch.stage}, {item.item}: the process that worked on it died {DEATHS} times ({hows}), and at "
            f"least once not by its own doing (it had taken {max(death.peak_bytes for death in deaths) / 2**30:.1f} "
            "GiB); something else takes the memory or the disk of the machine, or kills processes: nothing is "
            "quarantined for it; run again once that is mended"
        )
    failure = Failure(
        stage=batch.stage,
        item=item.item,
        source=item.ref.source if item.ref else "",
        work_key=item.work_key,
        error=ERROR,
        message=f"its process died {DEATHS} times out of {DEATHS}, with nothing else at work in it: {hows}",
        traceback=deaths[-1].said,
        run_id=batch.run_id,
    )
    return Attempt({}, (), (failure,))
