"""What becomes of what is told to the history: what is written, waits, or is lost."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ..history.recorder import Counts
from .counted import PREFIX


def families(counts: Counts | None) -> Iterator[Metric]:
    """The series of a history; none where none is kept."""
    if counts is None:
        return
    for name, text, value in (
        ("written", "Events that the history database has", counts.written),
        (
            "lost",
            "Events that found no room while it was away, or that it does not take",
            counts.lost,
        ),
    ):
        yield CounterMetricFamily(f"{PREFIX}history_{name}_events", text, value=value)
    yield CounterMetricFamily(
        f"{PREFIX}history_gaps", "How often the history database was away", value=counts.gaps
    )
    yield GaugeMetricFamily(
        f"{PREFIX}history_waiting_events",
        "Events that wait to be written, in memory or in a file",
        value=counts.waiting,
    )
