"""ZFS: what it says about a home that is a dataset of its own, or about the home's owner.

Snapshots and datasets inside are left out. The figures are those of the last transaction
group, some seconds ago.
"""

from __future__ import annotations

from ...errors import CannotCount
from ...quota.usage import Usage
from .command import answer_of
from .counter import Counter
from .open_home import OpenHome
from .owner import only_owner

_KINDS = ("zfs", "fuse.zfs")


class ZFS(Counter):
    """By dataset."""

    name = "zfs"
    kinds = _KINDS

    def count(self, home: OpenHome, *, secs: float, fresh: bool) -> Usage:
        """What the home's dataset refers to. Raises CannotCount."""
        mount = home.mount
        if (mount.point, mount.root) != (home.path, "/"):
            raise CannotCount("It is no dataset of its own: `zfs create` makes one.")
        return Usage(allocated=_property(mount.source, "referenced", secs))


class ZFSUser(Counter):
    """By user, for homes in one dataset whose owners have nothing else there."""

    name = "zfs-user"
    kinds = _KINDS
    sure = False

    def count(self, home: OpenHome, *, secs: float, fresh: bool) -> Usage:
        """What the home's owner has in its dataset. Raises CannotCount."""
        name = f"userused@{only_owner(home)}"
        return Usage(allocated=_property(home.mount.source, name, secs))


def _property(dataset: str, name: str, secs: float) -> int:
    output = answer_of("zfs", "get", "-Hp", "-o", "property,value", name, "--", dataset, secs=secs)
    return parse_property(output, name)


def parse_property(output: str, name: str) -> int:
    """One property of `zfs get -Hp -o property,value`, a number. Raises CannotCount."""
    for line in output.splitlines():
        key, _, value = line.partition("\t")
        if key == name and value.isascii() and value.isdigit():
            return int(value)
    raise CannotCount(f"zfs tells no {name}: may the service ask for it?")
