"""Where things are."""

from __future__ import annotations

from typing import Any

from traitlets import HasTraits, Unicode, validate

from ...homes import Homes
from ..checks import absolute
from ..values import HomeMapping


class PlaceSettings(HasTraits):
    """Where control files and homes are, and more settings."""

    quota_control = Unicode(
        "/efs/quota-control",
        help="""Directory of the control files: one folder a user, with quota.yaml in it.

        The service writes it, the hub reads it. It must exist.""",
    ).tag(config=True)
    home_root = Unicode(
        "/efs/users",
        help="Directory below which all homes are. Nothing outside of it is ever measured.",
    ).tag(config=True)
    home_path = HomeMapping(
        "{home_root}/{escaped_username}",
        help="""Where a user's home is: a template, or a callable from the user's name to a path.

        The template may name {home_root}, {username}, {escaped_username}
        (`homer@stsci.edu` -> `homer-40stsci-2eedu`) and {slug_username} (KubeSpawner 7's
        safe name). A callable must be importable by the service too: give a function of a
        module, or its name as "module:function".""",
    ).tag(config=True)
    config_file = Unicode(
        "",
        help="""A file with more of these settings, `c.EFSQuota.…` lines in Python.

        Read by the hub and by the service. For long lists of users, or for a callable.""",
    ).tag(config=True)

    @validate("quota_control", "home_root", "config_file")
    def _places_are_absolute(self, proposal: Any) -> str:
        return absolute(proposal)

    def homes(self) -> Homes:
        """The home mapping."""
        return Homes(self.home_root, self.home_path)
