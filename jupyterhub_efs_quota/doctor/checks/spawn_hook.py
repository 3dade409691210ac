"""The chain of spawn hooks: whether ours is called, and what hub 5 makes of refusals."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import jupyterhub
from traitlets.config import Config

from ...hub import spawn
from .. import hub_app
from ..finding import Finding, not_looked_at, ok, warning, wrong
from ..place import HUB_MACHINE, Place

_WHAT = "spawn hook"
_TRAIT = "pre_spawn_hook"
_LIMIT = "consecutive_failure_limit"


def look(place: Place) -> Iterator[Finding]:
    """The hook that counts, the ones of other spawners, and the limit on failures."""
    if place.settings is None:
        return
    if place.config is None:
        yield not_looked_at(_WHAT, "The hub's configuration is not seen from here.", HUB_MACHINE)
        yield not_looked_at(_LIMIT, "The hub's configuration is not seen from here.", HUB_MACHINE)
        return
    spawner = place.app.spawner_class
    hooks = list(hub_app.values(place.config, spawner, _TRAIT))
    section, hook = hooks[0] if hooks else ("Spawner", None)
    called = calls_ours(hook)
    if called:
        yield ok(
            _WHAT, f"c.{section}.{_TRAIT} is ours{'' if is_ours(hook) else ', called by yours'}."
        )
    else:
        yield _not_ours(section, hook, place)
    yield from _others(place, section)
    yield _limit(place, spawner, called=called)


def wired_by_hand(config: Config) -> bool:
    """Whether a section has our hook without setup(c), or one that calls it."""
    hooks = [section[_TRAIT] for _, section in _sections(config)]
    return any(calls_ours(hook) and hook.__qualname__.find("<locals>") < 0 for hook in hooks)


def is_ours(hook: Any) -> bool:
    """Whether a hook is one that this package made."""
    return getattr(hook, "__module__", None) == spawn.__name__


def calls_ours(hook: Any) -> bool:
    """Whether a hook is ours, or a function that names ours."""
    if is_ours(hook):
        return True
    code = getattr(hook, "__code__", None)
    if code is None:
        return False
    names = inspect.getclosurevars(hook)
    seen = [*names.nonlocals.values(), *names.globals.values()]
    # Imported in the function itself, it is a name and no value yet.
    return any(is_ours(value) for value in seen) or "jupyterhub_efs_quota" in code.co_names


def _sections(config: Config) -> Iterator[tuple[str, Config]]:
    for name, section in config.items():
        if isinstance(section, Config) and section.get(_TRAIT) is not None:
            yield name, section


def _not_ours(section: str, hook: Any, place: Place) -> Finding:
    last = f"Move `setup(c)` to the end of {place.file}"
    if hook is None:
        return wrong(
            _WHAT,
            "There is none: users in lockout can start servers until the reaper stops them.",
            f"from jupyterhub_efs_quota import setup; setup(c)  # at the end of {place.file}"
            if place.service is None
            else last,
        )
    return wrong(
        _WHAT,
        f"c.{section}.{_TRAIT} is {_name(hook)}, which replaced ours or goes before it: nobody is"
        " refused.",
        f"{last}: then ours calls yours",
    )


def _name(hook: Any) -> str:
    name = getattr(hook, "__qualname__", repr(hook))
    code = getattr(hook, "__code__", None)
    return f"{name} ({code.co_filename}, line {code.co_firstlineno})" if code else str(name)


def _others(place: Place, counts: str) -> Iterator[Finding]:
    """Hooks of spawners that are not the hub's, but may be used by one that wraps others."""
    assert place.config is not None
    for name, section in _sections(place.config):
        if name != counts and not calls_ours(section[_TRAIT]):
            yield warning(
                _WHAT,
                f"c.{name}.{_TRAIT} is {_name(section[_TRAIT])}: servers of that spawner are not"
                " refused.",
                f"Move `setup(c)` to the end of {place.file}",
            )


def _limit(place: Place, spawner: type, *, called: bool) -> Finding:
    assert place.config is not None
    set_to = next((int(value) for _, value in hub_app.values(place.config, spawner, _LIMIT)), 0)
    version = jupyterhub.__version__
    if not set_to:
        return ok(_LIMIT, "It is not set: failed spawns never end the hub.")
    if jupyterhub.version_info[0] >= 6:
        return ok(_LIMIT, f"It is {set_to}; JupyterHub {version} does not count refusals.")
    if called:
        return ok(
            _LIMIT,
            f"It is {set_to}; JupyterHub {version} counts every exception of a hook, and ours"
            " takes its refusals off that count.",
        )
    return warning(
        _LIMIT,
        f"It is {set_to}, and JupyterHub {version} counts every exception of a hook: refusals by"
        " a hook that is not ours end the hub.",
        "c.Spawner.consecutive_failure_limit = 0",
    )
