"""Storage quotas for JupyterHub homes: what a jupyterhub_config.py imports.

from jupyterhub_efs_quota import setup
setup(c)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .configure import setup
    from .hub.spawn import pre_spawn_hook

__version__ = "0.1.0"
__all__ = ["pre_spawn_hook", "setup"]


def __getattr__(name: str) -> Any:
    # Imported when asked for: a worker that measures a home needs no hub.
    if name == "setup":
        from .configure import setup

        return setup
    if name == "pre_spawn_hook":
        from .hub.spawn import pre_spawn_hook

        return pre_spawn_hook
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
