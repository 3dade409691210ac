"""A server that is started as a rescue: what its spawner is lent, and gives back.

Spawners live on from one server to the next, so nothing of a rescue may stay with them.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

MARK = "EFS_QUOTA_RESCUE"
_RUNTIME = "JUPYTER_RUNTIME_DIR"
_OF_JUPYTER = ("singleuser", "labhub")
_KEPT = "_efs_quota_lent"
_ABSENT = object()


@dataclass
class _Lent:
    """What a spawner was lent: by name, what it had before and what we gave it."""

    variables: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    traits: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    arguments: Sequence[str] = ()


def rescue_variables(directory: str, until: datetime) -> dict[str, str]:
    """The environment in which a server runs though its home is full.

    All that it must write lies in a folder that the server makes for its user alone. Others on
    the machine cannot guess its name, so as to be there first.
    """
    place = f"{directory.rstrip('/')}/efs-quota-rescue-{secrets.token_hex(12)}"
    return {
        MARK: until.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        # Without this one it does not start: its cookie secret and the files of kernels.
        _RUNTIME: place,
        "JUPYTERLAB_WORKSPACES_DIR": f"{place}/workspaces",
        "IPYTHONDIR": f"{place}/ipython",
        "MPLCONFIGDIR": f"{place}/matplotlib",
        "XDG_CACHE_HOME": f"{place}/cache",
        "TMPDIR": directory,
    }


def rescue_arguments(place: str) -> list[str]:
    """What a server of Jupyter's own is told, whatever its configuration says.

    What is deleted is gone, and not in a trash in the same home; so are folders that are not
    empty, and what is hidden, such as caches. And notebooks can be opened: which of them are
    trusted is kept elsewhere.
    """
    return [
        "--FileContentsManager.delete_to_trash=False",
        "--FileContentsManager.always_delete_dir=True",
        "--ContentsManager.allow_hidden=True",
        f"--NotebookNotary.data_dir={place}",
    ]


def lend(spawner: Any, variables: Mapping[str, str], overrides: Mapping[str, Any]) -> list[str]:
    """Make the next server of a spawner a rescue; what could not be done, in sentences."""
    lent, amiss = _Lent(), []
    setattr(spawner, _KEPT, lent)
    for name, value in overrides.items():
        if not spawner.has_trait(name):
            amiss.append(f"{type(spawner).__name__} has no setting {name!r}")
            continue
        before = getattr(spawner, name)
        try:
            setattr(spawner, name, value)
        except Exception as error:  # whatever the spawner's own checks raise
            amiss.append(f"{name} = {value!r}: {error}")
        else:
            # As it reads: "1G" is a number of bytes then.
            lent.traits[name] = (before, getattr(spawner, name))
    environment = dict(spawner.environment or {})
    lent.variables = {
        name: (environment.get(name, _ABSENT), value) for name, value in variables.items()
    }
    # Another dictionary and list: these may be the configuration, which all spawners share.
    spawner.environment = {**environment, **variables}
    if any(word in part for part in spawner.cmd or () for word in _OF_JUPYTER):
        lent.arguments = rescue_arguments(variables[_RUNTIME])
        spawner.args = [*spawner.args, *lent.arguments]
    return amiss


def take_back(spawner: Any) -> None:
    """Give a spawner back what it had before it was lent anything.

    What somebody else has changed meanwhile (the hub, for the user's groups) is left alone.
    """
    lent = getattr(spawner, _KEPT, None)
    if lent is None:
        return
    delattr(spawner, _KEPT)
    environment = dict(spawner.environment or {})
    for name, (before, ours) in lent.variables.items():
        if environment.get(name) != ours:
            continue
        if before is _ABSENT:
            del environment[name]
        else:
            environment[name] = before
    spawner.environment = environment
    if lent.arguments:
        spawner.args = [each for each in spawner.args if each not in lent.arguments]
    for name, (before, ours) in lent.traits.items():
        if getattr(spawner, name) == ours:
            setattr(spawner, name, before)
