"""A home and a limbo on a real file system. As root, the home is another user's."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from jupyterhub_efs_quota.freeing.handles import open_home
from jupyterhub_efs_quota.freeing.limbo import Limbo
from jupyterhub_efs_quota.freeing.take import Errand

from ..conftest import NOW

# Not the service's: what is theirs is told from what is the service's or anybody else's.
OWNER, STRANGER = (54321, 54322) if os.geteuid() == 0 else (os.geteuid(), None)


class Place:
    """A home root with alice's home in it, and how to fill it."""

    def __init__(self, root):
        self.root = root
        self.path = root / "users" / "alice"
        self.path.mkdir(parents=True)
        self.limbo = Limbo(root / "users" / ".limbo")
        self.give(self.path)

    def give(self, *paths, to=OWNER):
        if os.geteuid() == 0:
            for path in paths:
                os.chown(path, to, to, follow_symlinks=False)

    def folder(self, name):
        path = self.path
        for part in Path(os.fsdecode(name)).parts:
            path = path / part
            if not path.exists():
                path.mkdir()
                self.give(path)
        return path

    def file(self, name, data=b"x" * 1000):
        path = self.path / os.fsdecode(name)
        self.folder(path.parent.relative_to(self.path))
        path.write_bytes(data)
        self.give(path)
        return path

    def open(self):
        return open_home(self.root / "users", self.path)

    def drawer(self):
        return self.limbo.drawer("alice")

    def notes(self):
        return self.limbo.notes("alice")


@pytest.fixture
def place():
    # Not below pytest's own directory, which it keeps to itself: here others may come in.
    # In memory where that is, since every note is written through to the disk.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    root = Path(tempfile.mkdtemp(prefix="freeing-", dir=memory))
    root.chmod(0o755)
    yield Place(root)
    shutil.rmtree(root)


@pytest.fixture
def errand():
    return Errand("errand-1", "alice", NOW)
