"""Jobs on record: checks of them, what is switched off, and StatsD."""

from __future__ import annotations

from typing import Any

from traitlets import Dict, HasTraits, Int, Unicode, validate

from ...activity.named import checks_of
from ..checks import absolute, checked


class ActivitySettings(HasTraits):
    """The runs of jobs, and who is told of them."""

    activity_days = Int(400, min=1, help="For so many days the runs of all jobs are kept.").tag(
        config=True
    )
    activity_checks = Dict(
        Dict(),
        help="""Checks whether jobs run as they should: a name each, and what is asked.

        `{"backup": {"job": "nightly backup", "host": "store1", "recent_minutes": 1560}}`.
        `job`, and `host` unless it may be any; then at least one of these. `recent_minutes`:
        a success within so many. `window_minutes` with `at_least` (so many successes within
        it) or `longest_gap_minutes`, or both. `last_runs` with `least_mean_secs` and
        `most_mean_secs` (how long these took on average) or `most_spreads` (how many times
        the usual spread the newest may be off).

        Of the service's own jobs `monitor`, `reaper` and `limbo` a success is asked within
        three of their periods, unless a check here is about that job.""",
    ).tag(config=True)
    switched_off_file = Unicode(
        "",
        help="""File with the names of jobs that are switched off, one a line.

        Default: `switched-off.txt` in `quota_control`, so that it holds on all machines.""",
    ).tag(config=True)
    statsd_host = Unicode(
        "",
        help="""Host of a StatsD that is sent how long each job ran, by UDP. Empty: none is.

        As `script_activity,env=ENV,name=NAME`, in milliseconds.""",
    ).tag(config=True)
    statsd_port = Int(8125, min=1, max=65535, help="Its port.").tag(config=True)
    statsd_prefix = Unicode("", help="What stands before the name, with a dot between.").tag(
        config=True
    )
    statsd_environment = Unicode("", help="The value of the tag `env`. Empty: no such tag.").tag(
        config=True
    )

    @validate("activity_checks")
    def _known_checks(self, proposal: Any) -> dict[str, Any]:
        def check(named: dict[str, Any]) -> dict[str, Any]:
            checks_of(named)
            return named

        return checked(proposal, check)

    @validate("switched_off_file")
    def _switched_off_file_is_absolute(self, proposal: Any) -> str:
        return absolute(proposal)
