"""Where the spawner says that a user's home is, for the service to measure.

Called by the spawn hook, inside the hub. In two steps, since a spawner may be asked on the
event loop only (its user's attributes are the hub's database), and the system off it only.
"""

from __future__ import annotations

import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SystemUser:
    """A home that is known by the name of its user in the password database."""

    name: str


def told_by(spawner: Any, home_root: Path) -> Path | SystemUser | None:
    """The home as the spawner has it, or None if it does not tell.

    KubeSpawner tells by the sub-path of the volume that is mounted as the home, below
    `home_root`; The Littlest JupyterHub by the name of the system user; local spawners
    by their own setting or their user's name.
    """
    mounts = getattr(spawner, "volume_mounts", None)
    if mounts is not None:
        return _mounted(spawner, mounts, home_root)
    told = getattr(spawner, "home_dir", None) or getattr(spawner, "homedir", None)
    if isinstance(told, (str, Path)) and str(told):
        return Path(told)
    return _system_user(spawner)


def directory(told: Path | SystemUser) -> Path | None:
    """The directory that was told; None for a user whom the system does not have. May block."""
    if isinstance(told, Path):
        return told
    try:
        return Path(pwd.getpwnam(told.name).pw_dir)
    except KeyError:
        return None


def _mounted(spawner: Any, mounts: Any, home_root: Path) -> Path | None:
    listed = list(mounts.values()) if isinstance(mounts, dict) else list(mounts)
    expand = getattr(spawner, "_expand_all", str)
    homes = {
        str(mount["mountPath"]): str(expand(mount["subPath"]))
        for mount in listed
        if isinstance(mount, dict)
        and str(mount.get("mountPath", "")).startswith("/home")
        # A folder that is the same for everybody is shared: nobody's home.
        and expand(mount.get("subPath", "")) != mount.get("subPath", "")
    }
    if not homes:
        return None
    # Another folder of the user's may be mounted inside the home: that is the longer path.
    return home_root / homes[min(homes, key=len)].lstrip("/")


def _system_user(spawner: Any) -> SystemUser | None:
    from jupyterhub.spawner import LocalProcessSpawner

    if type(spawner).__module__.partition(".")[0] == "tljh":
        from tljh.normalize import generate_system_username

        return SystemUser(generate_system_username(f"jupyter-{spawner.user.name}"))
    return SystemUser(spawner.user.name) if isinstance(spawner, LocalProcessSpawner) else None
