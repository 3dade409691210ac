"""What every counter is: a name, the mounts that it is for, and one question."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ...quota.usage import Usage
from .open_home import OpenHome


class Counter(ABC):
    """Asks one kind of file system for what it has counted.

    `name`: as the settings name it. `kinds`: the types of mount that it is for. `sure`:
    whether its figure is that of the home, so that `auto` may take it.
    """

    name: str
    kinds: tuple[str, ...]
    sure: bool = True

    @abstractmethod
    def count(self, home: OpenHome, *, secs: float, fresh: bool) -> Usage:
        """What the file system says about the home, within `secs`.

        `fresh`: what was deleted a moment ago is to count, if that costs a wait.
        Raises CannotCount rather than give a number that is not the home's.
        """
