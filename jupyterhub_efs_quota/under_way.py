"""Which homes are measured now, and how far each is: kept by `remeasure.py` for the pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .measure.task import SoFar
from .measure.workers.workers import Tell


class UnderWay:
    """The measurements of this process that go on, by user."""

    def __init__(self) -> None:
        self._so_far: dict[str, SoFar] = {}

    def get(self, user: str) -> SoFar | None:
        """How far the measurement of a user's home is; None if there is none."""
        return self._so_far.get(user)

    @contextmanager
    def measuring(self, user: str) -> Iterator[Tell]:
        """While a home is measured: what to call with how far that is."""
        self._so_far[user] = SoFar(0, 0)

        def tell(so_far: SoFar) -> None:
            self._so_far[user] = so_far

        try:
            yield tell
        finally:
            del self._so_far[user]
