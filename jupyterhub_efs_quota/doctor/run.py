"""Runs the checks, each bounded in time: a mount that hangs is found, not waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..errors import EFSQuotaError
from .finding import Finding, wrong
from .place import Place

_SECS = 15.0


@dataclass(frozen=True)
class Check:
    """A function that looks at one matter, how long it may take, and what to do if it hangs."""

    name: str
    look: Callable[[Place], Iterator[Finding]]
    if_it_hangs: str
    secs: float = _SECS


def run(checks: Sequence[Check], place: Place, secs: float = 0.0) -> Iterator[Finding]:
    """What all checks find, in their order. They run side by side.

    `secs`: how long each may take; 0 for its own time.
    """
    started = time.monotonic()
    checks = [replace(check, secs=secs or check.secs) for check in checks]
    for running in [_Running(check, place) for check in checks]:
        yield from running.findings(started)


class _Running:
    """A check in a thread of its own, which may be stuck for ever and keeps nobody from ending."""

    def __init__(self, check: Check, place: Place) -> None:
        self._check = check
        self._found: list[Finding] = []
        self._done = threading.Event()
        threading.Thread(target=self._look, args=(place,), daemon=True).start()

    def findings(self, started: float) -> list[Finding]:
        """What it found, until its time was over."""
        ended = self._done.wait(max(0.0, started + self._check.secs - time.monotonic()))
        found = self._found[:]
        if not ended:
            found.append(
                wrong(
                    self._check.name,
                    f"This check was not done after {self._check.secs:g} seconds"
                    + (f": it stopped after the {found[-1].what}." if found else "."),
                    self._check.if_it_hangs,
                )
            )
        return [replace(finding, check=self._check.name) for finding in found]

    def _look(self, place: Place) -> None:
        try:
            for finding in self._check.look(place):
                self._found.append(finding)
        except EFSQuotaError as error:
            self._found.append(wrong(self._check.name, str(error), "See the message"))
        except Exception as error:  # a check that fails must not hide what the others find
            said = f"This check failed: {type(error).__name__}: {error}"
            self._found.append(wrong(self._check.name, said, "Please report this as a bug"))
        finally:
            self._done.set()
