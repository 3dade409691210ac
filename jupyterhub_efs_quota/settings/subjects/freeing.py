"""Whether users may delete on the page "Free up space", and bring it back."""

from __future__ import annotations

from typing import Any

from traitlets import Bool, Float, HasTraits, Unicode, validate

from ..checks import absolute, finite


class FreeingSettings(HasTraits):
    """Deleting, and limbo."""

    allow_delete = Bool(
        False,
        help="""Whether users may delete on the page "Free up space".

        The service then needs to write the homes: see the how-to. Otherwise the page shows
        where the space goes, and commands to copy.""",
    ).tag(config=True)
    limbo = Unicode(
        "",
        help="""Directory for what users have deleted, until it is purged.

        On the file system of the homes and in none of them; made for the service alone, with
        mode 0700. Empty: `.efs-quota-limbo` in `home_root`.""",
    ).tag(config=True)
    limbo_days = Float(
        7.0, min=0.0, help="For so many days users can bring back what they have deleted."
    ).tag(config=True)
    limbo_share = Float(
        1.0,
        min=0.0,
        help="""How many times their quota users may have in limbo, which does not count.

        What does not go in can only be deleted for good. 0: nothing goes in.""",
    ).tag(config=True)

    @validate("limbo")
    def _limbo_is_absolute(self, proposal: Any) -> str:
        return absolute(proposal)

    @validate("limbo_days", "limbo_share")
    def _bounds_of_limbo_are_finite(self, proposal: Any) -> float:
        return finite(proposal)
