"""Plans that were shown to somebody: kept for a while, and carried out if they say so.

Called by the pages. The plans are in memory only: after a restart they are made again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..errors import EFSQuotaError, StoreError
from ..offload import Offload
from .plan import LeftOut, Line, Plan
from .told import why

log = logging.getLogger(__name__)

# Said where the store did not answer while a quota was changed.
UNSURE = "Whether the quota was changed is not known: look again."
KEPT_FOR = timedelta(minutes=30)
# Of all visitors together; each has a line for every user.
MOST_PLANS = 8
# So many changes are made at a time, and each waits so long for the store.
AT_A_TIME, CHANGE_SECS = 4, 10.0
# After so many in a row that the store did not take, nobody tries the rest.
_MOST_FAILURES = 8


@dataclass
class Errand:
    """A plan of one visitor, and how far it is carried out."""

    plan: Plan
    owner: str
    made: datetime
    task: asyncio.Task[None] | None = None
    done: int = 0
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def begun(self) -> bool:
        """Whether somebody has said that it is to be carried out."""
        return self.task is not None

    @property
    def ended(self) -> bool:
        """Whether all is done that can be."""
        return self.task is not None and self.task.done()

    @property
    def looked_at(self) -> int:
        """How many of the lines are done or left out."""
        return self.done + len(self.left_out)


class Plans:
    """The plans that are kept."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, Errand] = OrderedDict()

    def keep(self, plan: Plan, owner: str) -> str:
        """Keep a plan; the key by which its owner finds it."""
        self._forget()
        key = secrets.token_urlsafe(16)
        self._kept[key] = Errand(plan, owner, self._clock())
        return key

    def find(self, key: str, owner: str) -> Errand | None:
        """The plan of a key, for its owner alone."""
        errand = self._kept.get(key)
        if errand is None or errand.owner != owner:
            return None
        old = not errand.begun and self._clock() - errand.made > KEPT_FOR
        return None if old else errand

    def begin(
        self, errand: Errand, offload: Offload, change: Callable[[Line], None]
    ) -> asyncio.Task[None]:
        """Carry a plan out, or join who does so already.

        `change` (blocking) makes one user's change; what it raises of ours leaves the user out.
        """
        if errand.task is None:
            errand.task = asyncio.create_task(_carry_out(errand, offload, change))
        return errand.task

    def _forget(self) -> None:
        """Make room: what is under way stays."""
        for key, errand in list(self._kept.items()):
            if errand.begun and not errand.ended:
                continue
            old = self._clock() - errand.made > KEPT_FOR
            if old or len(self._kept) >= MOST_PLANS:
                del self._kept[key]


async def _carry_out(errand: Errand, offload: Offload, change: Callable[[Line], None]) -> None:
    lines, failures = iter(errand.plan.lines), _Failures()
    workers = (_work(errand, lines, failures, offload, change) for _ in range(AT_A_TIME))
    await asyncio.gather(*workers)
    log.info(
        "%s changed %d quotas at once; %d were left out",
        errand.owner,
        errand.done,
        len(errand.left_out),
    )


@dataclass
class _Failures:
    """How often the store did not answer, one time after the other."""

    in_a_row: int = 0


async def _work(
    errand: Errand,
    lines: Iterator[Line],
    failures: _Failures,
    offload: Offload,
    change: Callable[[Line], None],
) -> None:
    for line in lines:
        if failures.in_a_row >= _MOST_FAILURES:
            errand.left_out.append(LeftOut(line.name, "Not tried: the store does not answer."))
            continue
        try:
            await offload.run_within(CHANGE_SECS, change, line)
        except StoreError as error:
            failures.in_a_row += 1
            errand.left_out.append(LeftOut(line.name, why_not(error)))
        except EFSQuotaError as error:
            errand.left_out.append(LeftOut(line.name, why_not(error)))
        except Exception:
            # One odd record must not leave the rest undone, nor pass unseen.
            log.exception("The quota of %s is not changed", line.name)
            errand.left_out.append(LeftOut(line.name, "Something went wrong: see the log."))
        else:
            failures.in_a_row = 0
            errand.done += 1


def why_not(error: EFSQuotaError) -> str:
    """Why a quota was not changed, for whoever asked for it, who need not know any path."""
    return f"{why(error)} {UNSURE}" if isinstance(error, StoreError) else why(error)
