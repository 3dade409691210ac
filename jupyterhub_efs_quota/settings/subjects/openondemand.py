"""What Open OnDemand reads."""

from __future__ import annotations

from typing import Any

from traitlets import Enum, HasTraits, Unicode, validate

from ..checks import absolute


class OpenOnDemandSettings(HasTraits):
    """The file with all users' quotas."""

    ood_quota_file = Unicode(
        "",
        help="""File in which Open OnDemand finds all users' quotas (`OOD_QUOTA_PATH`).

        Replaced whole at the end of each cycle of the monitor and the reaper. Its directory
        must exist. Empty: none is written.""",
    ).tag(config=True)
    ood_quota_file_mode = Enum(
        ["0600", "0640", "0644"],
        "0644",
        help="""Who may read `ood_quota_file`: its owner, its group, or everybody on the machine.

        Open OnDemand reads it as the user who is logged in, so every user must be able to.""",
    ).tag(config=True)

    @validate("ood_quota_file")
    def _ood_quota_file_is_absolute(self, proposal: Any) -> str:
        return absolute(proposal)
