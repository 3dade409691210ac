"""What happens to the spawn of a user in lockout: a refusal, or a rescue."""

from __future__ import annotations

import json
from typing import Any

from traitlets import Dict, Enum, Float, HasTraits, Unicode, validate

from ...quota.rescue import Terms
from ..checks import absolute, checked, finite
from ..values import Seconds, Size

# What makes a server this user's, and what calls us.
_NOT_IN_A_RESCUE = {"user", "hub", "name", "orm_spawner", "api_token", "pre_spawn_hook"}


class RescueSettings(HasTraits):
    """Whether there are rescues, and what a rescue server may do."""

    on_lockout = Enum(
        ["refuse", "rescue"],
        "refuse",
        help="""What happens to the spawn of a user in lockout.

        `"rescue"`: for `rescue_secs` they may start their server all the same, so that they
        can delete in it. It works in a home that is full, and is stopped if the home grows.
        See the how-to "Let locked-out users in to clean up".""",
    ).tag(config=True)
    rescue_secs = Seconds(
        3600.0,
        help="""How long a rescue lasts, from its first server on.

        Who stops that and starts again within it has what is left.""",
    ).tag(config=True)
    rescue_pause_secs = Float(
        86400.0,
        min=0.0,
        help="So long after its end may the next rescue of the same lockout begin.",
    ).tag(config=True)
    rescue_measure_secs = Seconds(300.0, help="How often a home is measured in a rescue.").tag(
        config=True
    )
    rescue_growth = Size(
        "100Mi",
        help="""How much a home may grow in a rescue, before its server is stopped.

        Counted from the first measurement after its beginning. Where there is a limit on files,
        10,000 more of them are too many as well.""",
    ).tag(config=True)
    rescue_back_secs = Float(
        600.0,
        min=0.0,
        help="How long a rescue server goes on when its user is back under the quota.",
    ).tag(config=True)
    rescue_directory = Unicode(
        "/tmp",  # noqa: S108 - where a folder with a name that nobody can guess is made
        help="""Where a rescue server keeps what it must write to run: a directory outside the home.

        As the server sees it, in its container. It makes a folder in it.""",
    ).tag(config=True)
    rescue_overrides = Dict(
        key_trait=Unicode(),
        help="""Settings of the spawner for rescue servers: `{"mem_limit": "1G", "cpu_limit": 1}`.

        For that server only: the next one has the usual ones again. Numbers, text, lists and
        dictionaries. Your own spawn hook and the profiles of KubeSpawner go before them.""",
    ).tag(config=True)

    @validate("rescue_directory")
    def _place_of_rescues_is_absolute(self, proposal: Any) -> str:
        return absolute(proposal)

    @validate("rescue_pause_secs", "rescue_back_secs")
    def _times_of_rescues_are_finite(self, proposal: Any) -> float:
        return finite(proposal)

    @validate("rescue_overrides")
    def _plain_overrides(self, proposal: Any) -> dict[str, Any]:
        return checked(proposal, checked_overrides)

    def rescue_terms(self) -> Terms | None:
        """What a rescue may be; None where none is offered."""
        if self.on_lockout != "rescue":
            return None
        return Terms(
            self.rescue_secs,
            self.rescue_pause_secs,
            self.rescue_growth,
            back_secs=self.rescue_back_secs,
        )


def checked_overrides(overrides: dict[str, Any]) -> dict[str, Any]:
    """The overrides of rescue servers, if the service can be told of them. Raises ValueError."""
    for name, value in overrides.items():
        if not name.isidentifier() or name.startswith("_"):
            raise ValueError(f"{name!r} is no setting of a spawner")
        if name in _NOT_IN_A_RESCUE:
            raise ValueError(f"{name} cannot be another one for a rescue")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise ValueError(
                f"{name} must be a number, text, a list or a dictionary, not {value!r}"
            ) from None
    return overrides
