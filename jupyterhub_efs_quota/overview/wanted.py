"""What is asked of the overview: read by the page, the API's contract and the command."""

from __future__ import annotations

from dataclasses import dataclass

# What is asked for, if nothing else is; and the most.
MONTHS, TOP = 6, 10
MOST_MONTHS, MOST_TOP = 120, 100


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    `months` without activity make dormant, `top` users are named of each kind, `quota` is
    the default to try out: None is the one that holds.
    """

    months: int = MONTHS
    top: int = TOP
    quota: int | None = None
