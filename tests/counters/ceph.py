"""A stand-in for CephFS: a FUSE file system that keeps a directory's sums as attributes.

    ceph.py SOURCE MOUNTPOINT

Shows the files of SOURCE. Runs until it is unmounted.
"""

import errno
import os
import sys
from pathlib import Path

import mfusepy
from mfusepy import FuseOSError


class Ceph(mfusepy.Operations):
    use_ns = True

    def __init__(self, source):
        self.source = Path(source)

    def at(self, path):
        return self.source / path.lstrip("/")

    def getattr(self, path, fh=None):
        try:
            found = os.lstat(self.at(path))
        except OSError as error:
            raise FuseOSError(error.errno) from None
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks")
        times = {f"st_{name}time": getattr(found, f"st_{name}time_ns") for name in "acm"}
        return {**{name: getattr(found, name) for name in names}, **times}

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(self.at(path))]

    def getxattr(self, path, name, position=0):
        set_by_test = self.source.parent / name
        if set_by_test.exists():
            return set_by_test.read_bytes()
        below = [found for found in self.at(path).rglob("*")]
        files = [found for found in below if found.is_symlink() or not found.is_dir()]
        sums = {
            "ceph.dir.rbytes": sum(found.lstat().st_size for found in files),
            "ceph.dir.rfiles": len(files),
            "ceph.dir.rsubdirs": 1 + len(below) - len(files),
        }
        if name not in sums:
            raise FuseOSError(errno.ENODATA)
        return str(sums[name]).encode()


if __name__ == "__main__":
    mfusepy.FUSE(
        Ceph(sys.argv[1]),
        sys.argv[2],
        foreground=True,
        nothreads=True,
        allow_other=True,
        default_permissions=True,
        subtype="ceph-fuse",
        fsname="ceph-fuse",
    )
