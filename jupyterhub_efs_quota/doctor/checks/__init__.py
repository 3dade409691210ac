"""What the doctor looks at, in the order in which it is shown. Called by `command.py`."""

from __future__ import annotations

from ..run import Check
from . import (
    clock,
    database,
    deleting,
    hub_config,
    mapping,
    measuring,
    mounts,
    reach,
    rescue,
    scopes,
    sending,
    settings,
    spawn_hook,
)

_STORE = "Find the mount that hangs: timeout 5 df PATH. Then: umount -l PATH; mount PATH"
_HUB = "See what keeps the hub busy: its log, and top"
_DATABASE = "See whether the database answers, or the disk that it is on"
_SENDING = "See whether the name server and the mail server answer"

CHECKS = (
    Check("settings", settings.look, _STORE),
    Check("hub-config", hub_config.look, _STORE),
    Check("spawn-hook", spawn_hook.look, _STORE),
    Check("rescue", rescue.look, _STORE),
    Check("mounts", mounts.look, _STORE),
    Check("deleting", deleting.look, _STORE),
    Check("measuring", measuring.look, _STORE, secs=30),
    Check("hub", reach.look, _HUB),
    Check("scopes", scopes.look, _HUB),
    Check("mapping", mapping.look, _STORE, secs=90),
    Check("clock", clock.look, _STORE),
    Check("database", database.look, _DATABASE, secs=20),
    Check("sending", sending.look, _SENDING, secs=20),
)
