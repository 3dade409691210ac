"""What the hook does at every spawn, and what servers are told."""

from __future__ import annotations

from typing import Any

from traitlets import Bool, Enum, Float, HasTraits, validate

from ..checks import finite
from ..values import Seconds


class SpawnSettings(HasTraits):
    """How long a spawn may wait, who is exempt, and what an error does."""

    on_error = Enum(
        ["allow", "refuse"],
        "allow",
        help="What happens to a spawn when the control file cannot be read in time.",
    ).tag(config=True)
    hook_timeout = Seconds(
        5.0, help="Seconds in which the spawn hook must have read the control file."
    ).tag(config=True)
    verify_secs = Float(
        3.0,
        min=0.0,
        help="""Seconds in which a locked home is measured again before a spawn is refused.

        0: it is not measured, the record stands.""",
    ).tag(config=True)
    admins_exempt = Bool(
        True, help="Whether hub administrators keep their own servers in a lockout."
    ).tag(config=True)
    storage_environment = Bool(
        True,
        help="""Whether servers are told how their user stands, in environment variables.

        `STORAGE_QUOTA_BYTES`, `STORAGE_USED_BYTES`, `STORAGE_MEASURED_AT`, `STORAGE_FULL_AT`
        and `STORAGE_LOCKED_AT`, each where it is known and where the site has not set it
        itself.""",
    ).tag(config=True)

    @validate("verify_secs")
    def _time_to_verify_is_finite(self, proposal: Any) -> float:
        return finite(proposal)
