"""How all users stand together, worked out when Prometheus asks: sums, and no names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric

from ..board import Row
from ..errors import KINDS
from ..quota.record import Record, State
from ..quota.rescue import going_on
from ..quota.standing import NO_QUOTA, standing
from .counted import PREFIX

UNKNOWN = "unknown"
STATES = (*(state.value for state in State), NO_QUOTA, UNKNOWN)


def families(rows: Sequence[Row], now: datetime) -> Iterator[Metric]:
    """The metrics of these users, who are all that the hub has."""
    records = [row.record for row in rows if row.record is not None]
    limited = [record for record in records if record.quota_enabled]
    measured = [record for record in records if record.measured]
    yield _by("users", "Users by state", "state", STATES, (_state(row.record) for row in rows))
    yield _by(
        "users_with_problem",
        "Users by what is wrong with their home or control file",
        "kind",
        KINDS,
        (kind for row in rows for kind in {each.kind for each in row.problems.values()}),
    )
    yield _one("measured_users", "Users whose home was ever measured", len(measured))
    yield _one("used_bytes", "What all homes hold", sum(each.actual_bytes for each in measured))
    files = sum(record.usage_files or 0 for record in measured)
    yield _one("used_files", "Files in all homes, where they are counted", files)
    quotas = sum(record.quota_bytes for record in limited)
    yield _one("quota_bytes", "What all users with a quota may hold", quotas)
    rescued = sum(going_on(record, now) for record in records)
    yield _one("users_in_rescue", "Users who may have a rescue server now", rescued)
    times = [record.stopped for record in measured if record.stopped is not None]
    if times:
        yield _one(
            "oldest_measurement_timestamp_seconds",
            "When the home was measured whose measurement is the oldest",
            min(times).timestamp(),
        )


def _state(record: Record | None) -> str:
    return UNKNOWN if record is None else standing(record)


def _one(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}{name}", text, value=value)


def _by(name: str, text: str, label: str, values: Iterable[str], seen: Iterable[str]) -> Metric:
    """A gauge that counts what was seen, with a 0 for what was not."""
    counts = Counter(seen)
    family = GaugeMetricFamily(f"{PREFIX}{name}", text, labels=[label])
    for value in values:
        family.add_metric([value], counts[value])
    return family
