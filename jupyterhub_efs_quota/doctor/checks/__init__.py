"""What the doctor looks at, in the order in which it is shown. Called by `command.py`."""

from __future__ import annotations

from ..run import Check
from . import (
    clock,
    database,
    hub_config,
    mapping,
    measuring,
    mounts,
    reach,
    scopes,
    sending,
    settings,
    spawn_hook,
)

CHECKS = (
    Check("settings", settings.look),
    Check("hub-config", hub_config.look),
    Check("spawn-hook", spawn_hook.look),
    Check("mounts", mounts.look),
    Check("measuring", measuring.look, secs=30),
    Check("hub", reach.look),
    Check("scopes", scopes.look),
    Check("mapping", mapping.look, secs=90),
    Check("clock", clock.look),
    Check("database", database.look, secs=20),
    Check("sending", sending.look, secs=20),
)
