"""All metrics as the text that Prometheus reads, worked out when it asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ..activity.overview import Job
from ..board import Board, Row
from ..history.recorder import Counts
from ..measure.workers.governor import Governor
from ..remeasure import utcnow
from . import history, jobs, users
from .counted import PREFIX, Counted
from .dirsize import Dirsize

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Timed(Protocol):
    """What is shown of a loop besides what it counts."""

    name: str
    period_secs: float

    @property
    def late_secs(self) -> float:
        """How far it is behind its period."""


class Exposition:
    """The metrics of a service: what it counted, the users on its board, its loops.

    `trouble` lists what is wrong now. `dirsize`: the series of single homes, if these are
    wanted. `governor`: what sets the pace of the walks, if anything does. `jobs`: all jobs, as
    they were last looked at. `history`: what became of the events of the history, if one is kept.
    """

    def __init__(
        self,
        counted: Counted,
        board: Board,
        loops: Callable[[], Sequence[Timed]],
        trouble: Callable[[], list[str]],
        *,
        dirsize: Dirsize | None = None,
        governor: Callable[[], Governor | None] = lambda: None,
        jobs: Callable[[], Sequence[Job]] = tuple,
        history: Callable[[], Counts | None] = lambda: None,
    ) -> None:
        self._counted = counted
        self._board = board
        self._loops = loops
        self._trouble = trouble
        self._dirsize = dirsize
        self._governor = governor
        self._jobs = jobs
        self._history = history
        self._turn = asyncio.Lock()

    async def scrape(self) -> bytes:
        """The text, made off the event loop; one at a time, whoever asks how often."""
        async with self._turn:
            return await asyncio.to_thread(self.render)

    def render(self) -> bytes:
        """The text. Sums over users, and series of homes, once a loop has seen all users."""
        rows = self._board.rows() if self._board.complete else None
        text: bytes = generate_latest(_Families(self._families(rows)))
        if rows is not None and self._dirsize is not None:
            self._counted.trees.keep_only({row.user.name for row in rows})
            text += self._dirsize.render(rows).encode()
        return text

    def _families(self, rows: Sequence[Row] | None) -> Iterator[Metric]:
        for family in self._counted.registry.collect():
            # When each counter was made: a series more for each, which nobody reads.
            family.samples = [s for s in family.samples if not s.name.endswith("_created")]
            yield family
        yield GaugeMetricFamily(
            f"{PREFIX}troubles", "What is wrong now, in number", value=len(self._trouble())
        )
        yield from self._of_loops()
        yield from self._of_store()
        yield from jobs.families(self._jobs())
        yield from history.families(self._history())
        if rows is not None:
            yield from users.families(rows, utcnow())

    def _of_loops(self) -> Iterator[Metric]:
        period = GaugeMetricFamily(
            f"{PREFIX}cycle_period_seconds", "From one cycle to the next", labels=["loop"]
        )
        late = GaugeMetricFamily(
            f"{PREFIX}cycle_lateness_seconds",
            "How much later than after the period the newest cycle began, or the next will",
            labels=["loop"],
        )
        for loop in self._loops():
            period.add_metric([loop.name], loop.period_secs)
            late.add_metric([loop.name], loop.late_secs)
        yield period
        yield late

    def _of_store(self) -> Iterator[Metric]:
        governor = self._governor()
        brakings = governor.brakings if governor is not None else 0
        yield CounterMetricFamily(
            f"{PREFIX}brakings", "How often walks were slowed down", value=brakings
        )
        braking = governor is not None and governor.brake.limit is not None
        yield GaugeMetricFamily(f"{PREFIX}braking", "1 while they are", value=int(braking))
        now = GaugeMetricFamily(
            f"{PREFIX}store_latency_seconds", "How long the store takes for an answer"
        )
        usual = GaugeMetricFamily(
            f"{PREFIX}store_usual_latency_seconds", "How long it takes when all is well"
        )
        if governor is not None and governor.brake.answers:
            now.add_metric([], governor.brake.now_secs)
            usual.add_metric([], governor.brake.usual_secs)
        yield now
        yield usual


class _Families:
    """What `generate_latest` takes for a registry."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
