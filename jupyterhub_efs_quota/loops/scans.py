"""Scans in place of measurements, for a site that scans its file system anyway.

Called by the monitor, once in each cycle. The newest scan is read once; homes that are
within their quota by it and by their record get its numbers, with its time. All others
are measured.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import EFSQuotaError, MeasureError
from ..logs import event
from ..measure.scans.file import ScanFile, newest_scan
from ..measure.scans.process import read_apart
from ..measure.scans.scan import Wanted
from ..quota.scanned import Advice, Scan, weigh
from ..quota.usage import Usage
from ..remeasure import Remeasure
from .cycle import STORE_THREADS, Rooms

if TYPE_CHECKING:
    from .monitor import Plan

log = logging.getLogger(__name__)

OVER = "a scan cannot tell that it is within its quota"


class Scans:
    """The newest scan that `scan_file` names, as far as it can be used."""

    def __init__(self, rooms: Rooms, remeasure: Remeasure) -> None:
        self._rooms = rooms
        self._settings = rooms.settings
        self._remeasure = remeasure
        # What was read last, whether or not that went well.
        self._read: ScanFile | None = None
        self._found: dict[bytes, Usage] = {}

    async def serve(self, plans: Sequence[Plan], *, dry_run: bool = False) -> list[Plan]:
        """Take what a scan tells; gives back the plans that are still to be carried out.

        `plans` are those of all users, also of those whom no measurement is due for.
        """
        homes = await self._rooms.offload.run(self._homes_in_scan, plans)
        scan = await self._newest(sorted(set(homes.values())))
        if scan is None:
            return [plan for plan in plans if plan.why is not None]
        left: list[Plan] = []
        waiting = deque(plans)

        async def work() -> None:
            while waiting:
                plan = waiting.popleft()
                usage = self._found.get(homes.get(plan.user.name, b""))
                known = None if usage is None else Scan(usage, scan.taken)
                left.extend(await self._serve(plan, known, dry_run=dry_run))

        await asyncio.gather(*(work() for _ in range(STORE_THREADS)))
        return left

    async def _serve(self, plan: Plan, scan: Scan | None, *, dry_run: bool) -> list[Plan]:
        """The plan, if it is still to be carried out."""
        advice = Advice.MEASURE
        if scan is not None:
            advice, _ = weigh(
                plan.record,
                scan,
                self._rooms.clock(),
                allocated=self._settings.size_basis == "allocated",
                grace_secs=self._settings.grace_secs,
            )
            if advice is Advice.TAKE and not dry_run:
                advice = await self._take(plan, scan)
            if advice is Advice.MEASURE and plan.why is None:
                return [replace(plan, why=OVER)]
        return [plan] if advice is Advice.MEASURE and plan.why is not None else []

    async def _take(self, plan: Plan, scan: Scan) -> Advice:
        try:
            record = await self._rooms.offload.run(
                self._remeasure.take, plan.user.name, plan.record, scan
            )
        except EFSQuotaError as error:
            log.debug("The scan is not taken for %s: %s", plan.user.name, error)
            return Advice.MEASURE
        if record is None:
            return Advice.MEASURE
        self._rooms.board.measured(record)
        return Advice.TAKE

    def _homes_in_scan(self, plans: Sequence[Plan]) -> dict[str, bytes]:
        """Where each user's home is in the scan; without those that have none."""
        homes = {}
        root = self._rooms.homes.home_root
        elsewhere = self._settings.scan_home_root
        for plan in plans:
            name = plan.user.name
            try:
                home = self._rooms.homes.resolve(name, self._rooms.homes.of(name, plan.record.home))
                if elsewhere:
                    home = Path(elsewhere) / home.relative_to(root.resolve())
            except (EFSQuotaError, OSError, ValueError):
                continue  # whoever measures it says what is wrong
            homes[name] = os.fsencode(home)
        return homes

    async def _newest(self, homes: list[bytes]) -> ScanFile | None:
        """The newest scan, read if it is another one than the last; None if it is no use."""
        pattern = self._settings.scan_file
        try:
            scan = await self._rooms.offload.run(newest_scan, pattern)
        except OSError as error:
            return self._refuse(f"The scan {pattern} cannot be looked at: {error.strerror}.")
        if scan is None:
            return self._refuse(f"There is no scan {pattern}.")
        age = (self._rooms.clock() - scan.taken).total_seconds()
        if age < 0:
            return self._refuse(f"The scan {scan.path} is of the future: a clock is wrong.")
        if age > self._settings.scan_max_age_secs:
            return self._refuse(
                f"The scan {scan.path} began {age / 86400:.1f} days ago, which is more than"
                " scan_max_age_secs allows."
            )
        if self._read is None or scan.identity != self._read.identity:
            await self._read_anew(scan, homes)
        return scan if self._found else None

    async def _read_anew(self, scan: ScanFile, homes: list[bytes]) -> None:
        self._read, self._found = scan, {}
        wanted = Wanted(
            homes=tuple(homes),
            cross_mounts=self._settings.cross_mounts,
            skip=tuple(self._settings.skip_directories),
            allocated=self._settings.size_basis == "allocated",
        )
        try:
            found = await read_apart(scan.path, wanted, self._settings.monitor_period_secs)
        except MeasureError as error:
            self._refuse(str(error))
            return
        if not found:
            self._refuse(f"The scan {scan.path} has none of the homes in it: see scan_home_root.")
        elif wanted.allocated and all(usage.allocated is None for usage in found.values()):
            self._refuse(
                f"The scan {scan.path} does not tell the space on disk, which size_basis asks for."
            )
            found = {}
        else:
            said = (
                f"The scan {scan.path} of {scan.taken:%Y-%m-%d %H:%M} UTC has {len(found)} homes."
            )
            event(log, logging.INFO, said, subsystem="Monitor")
        self._found = found

    @staticmethod
    def _refuse(why: str) -> None:
        event(log, logging.WARNING, f"{why} Homes are measured instead.", subsystem="Monitor")
