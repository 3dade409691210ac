"""What Prometheus reads."""

from __future__ import annotations

from typing import Any

from traitlets import Enum, HasTraits, Int, Unicode, validate

from ..checks import absolute


class MetricsSettings(HasTraits):
    """Where the metrics are, and whether they tell of single homes."""

    metrics_port = Int(
        0,
        min=0,
        max=65535,
        help="""Port on which the service serves `/metrics` to Prometheus, without a login. 0: none.

        The same is at `/services/efs-quota/metrics`, for tokens of the hub with the scope
        `read:metrics`.""",
    ).tag(config=True)
    metrics_bind = Unicode(
        "127.0.0.1",
        help="""Address of this machine on which `metrics_port` listens. Empty: all of its own.

        Whoever reaches it reads the metrics: leave it to Prometheus, by a firewall or a
        network policy.""",
    ).tag(config=True)
    user_metrics = Enum(
        ["off", "names", "pseudonyms"],
        "off",
        help="""Whether the metrics have series for each home, such as `dirsize_total_size_bytes`.

        With `"names"` their label `directory` is the name of the home on disk; with
        `"pseudonyms"` a code for it, that only who has `metrics_key_file` can tell. How much
        somebody holds is personal data: ask whether you may keep it.""",
    ).tag(config=True)
    metrics_key_file = Unicode(
        "",
        help="""File with the secret for `user_metrics = "pseudonyms"`, of 16 bytes or more.

        As long as it is the same, so are the pseudonyms. Only the service should be able to
        read it.""",
    ).tag(config=True)

    @validate("metrics_key_file")
    def _metrics_key_is_absolute(self, proposal: Any) -> str:
        return absolute(proposal)
