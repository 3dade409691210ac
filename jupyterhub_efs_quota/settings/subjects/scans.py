"""Scans of the whole store, which spare measurements."""

from __future__ import annotations

from typing import Any

from traitlets import HasTraits, Unicode, validate

from ..checks import absolute
from ..values import Seconds


class ScanSettings(HasTraits):
    """Which scan is read, and how old it may be."""

    scan_file = Unicode(
        "",
        help="""A scan by wrstat, or by `measure --export`, to read instead of the homes.

        A path, or a pattern such as `/scans/*_users*.stats.gz`, of which the newest counts.
        Homes that are within their quota, by the record and by the scan, get the scan's
        numbers. All others are measured, and so are all if the scan is no use.""",
    ).tag(config=True)
    scan_max_age_secs = Seconds(
        172800.0, help="Scans that began longer ago than this are not read."
    ).tag(config=True)
    scan_home_root = Unicode(
        "",
        help="""Where `home_root` is in the scan, if it was made with other paths.

        Empty: the paths are those that `home_root` has here, with symbolic links resolved.""",
    ).tag(config=True)

    @validate("scan_file", "scan_home_root")
    def _places_of_scans_are_absolute(self, proposal: Any) -> str:
        return absolute(proposal)
