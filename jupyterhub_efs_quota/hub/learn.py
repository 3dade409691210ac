"""Where the spawner says that a user's home is, for the service to measure.

Called by the spawn hook, inside the hub.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def home_of(spawner: Any, home_root: Path) -> Path | None:
    """The home as the spawner has it, or None if it does not tell.

    KubeSpawner tells by the sub-path of the volume that is mounted as the home, below
    `home_root`; The Littlest JupyterHub by the name of the system user; local spawners
    by their own setting or the password database. May block on the latter.
    """
    mounts = getattr(spawner, "volume_mounts", None)
    if mounts is not None:
        return _mounted(spawner, mounts, home_root)
    told = getattr(spawner, "home_dir", None) or getattr(spawner, "homedir", None)
    if isinstance(told, (str, Path)) and str(told):
        return Path(told)
    return _of_system_user(spawner)


def _mounted(spawner: Any, mounts: Any, home_root: Path) -> Path | None:
    listed = list(mounts.values()) if isinstance(mounts, dict) else list(mounts)
    homes = [
        mount
        for mount in listed
        if isinstance(mount, dict)
        and mount.get("subPath")
        and str(mount.get("mountPath", "")).startswith("/home")
    ]
    if not homes:
        return None
    # A shared folder may be mounted inside the home: the home itself is the shorter path.
    home = min(homes, key=lambda mount: len(str(mount["mountPath"])))
    expand = getattr(spawner, "_expand_all", str)
    return home_root / str(expand(home["subPath"])).lstrip("/")


def _of_system_user(spawner: Any) -> Path | None:
    import pwd

    from jupyterhub.spawner import LocalProcessSpawner

    name = spawner.user.name
    if type(spawner).__module__.partition(".")[0] == "tljh":
        from tljh.normalize import generate_system_username

        name = generate_system_username(f"jupyter-{name}")
    elif not isinstance(spawner, LocalProcessSpawner):
        return None
    try:
        return Path(pwd.getpwnam(name).pw_dir)
    except KeyError:
        return None
