"""The mapping of the hub's real users to homes: whose home is not where it is looked for."""

from __future__ import annotations

import asyncio
import os
import string
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ...control.store import ControlStore
from ...errors import EFSQuotaError, HomeError, HubError
from ...homes import Homes, escape, slug
from ...hub.client import Access, HubUser, hub_at
from ...words.figures import counted
from ..finding import Finding, not_looked_at, ok, warning, wrong
from ..place import SERVICE_ENVIRONMENT, Place

_WHAT = "homes of users"
_FEW = 3
# On a slow store so many seconds of looking are enough to know.
_SECS = 45.0
_DEFAULT = 'c.EFSQuota.home_path = "{home_root}/{escaped_username}"'


def _upper_case_digits(user: str) -> str:
    """As the escapism package writes them: `homer-40stsci-2Eedu`."""
    first, *rest = escape(user).split("-")
    return "-".join([first, *(part[:2].upper() + part[2:] for part in rest)])


def _all_lower_case(user: str) -> str:
    """As KubeSpawner did before version 7: `-41lice` for `Alice`."""
    safe = string.ascii_lowercase + string.digits
    return "".join(
        c if c in safe else "".join(f"-{byte:02x}" for byte in c.encode(errors="surrogatepass"))
        for c in user
    )


# How else sites name homes, and what to set for each.
_OTHERS: dict[str, Callable[[str], str]] = {
    'c.EFSQuota.home_path = "{home_root}/{username}"': str,
    _DEFAULT: escape,
    'c.EFSQuota.home_path = "{home_root}/{slug_username}"': slug,
    'c.EFSQuota.home_path = "{home_root}/jupyter-{username}"': lambda user: f"jupyter-{user}",
    'c.EFSQuota.home_path = "{home_root}/claim-{escaped_username}"': (
        lambda user: f"claim-{escape(user)}"
    ),
    'c.EFSQuota.home_path = "site_module:home"  # with escapism.escape(user, escape_char="-")': (
        _upper_case_digits
    ),
    'c.EFSQuota.home_path = "site_module:home"  # with escapism, lower-case letters safe only': (
        _all_lower_case
    ),
    'c.EFSQuota.home_path = "site_module:home"  # with user.partition("@")[0]': (
        lambda user: user.partition("@")[0]
    ),
    'c.EFSQuota.home_path = "site_module:home"  # with user.lower()': str.lower,
}


@dataclass
class _Seen:
    """What was found of all users."""

    users: int = 0
    with_home: int = 0
    # Users who were active and have no home, and how many were never active.
    missing: list[str] = field(default_factory=list)
    never_active: int = 0
    # By the setting that would fit: the user, and the name on disk.
    elsewhere: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    # Names in the home root that belong to a user.
    claimed: set[str] = field(default_factory=set)
    complete: bool = True


def look(place: Place) -> Iterator[Finding]:
    """Ask the hub for all users, and look for each one's home."""
    if place.settings is None:
        return
    if place.access is None:
        yield not_looked_at(_WHAT, "The hub's users are not known here.", SERVICE_ENVIRONMENT)
        return
    homes = place.settings.homes()
    try:
        with os.scandir(homes.home_root) as entries:
            names = {entry.name for entry in entries if entry.is_dir()}
        users = asyncio.run(_users(place.access))
    except HubError as error:
        yield not_looked_at(_WHAT, str(error))
        return
    except OSError as error:
        yield not_looked_at(_WHAT, f"{homes.home_root}: {error.strerror}.")
        return
    seen = _see(users, homes, ControlStore(place.settings.quota_control), names)
    yield _judge(seen, homes)
    yield _without_user(sorted(names - seen.claimed), homes, seen)


async def _users(access: Access) -> list[HubUser]:
    return [user async for page in hub_at(access).pages() for user in page]


def _see(users: list[HubUser], homes: Homes, store: ControlStore, names: set[str]) -> _Seen:
    seen, end = _Seen(), time.monotonic() + _SECS
    for user in users:
        if time.monotonic() > end:
            seen.complete = False
            break
        seen.users += 1
        try:
            _see_one(user, homes, store, names, seen)
        except HomeError as error:
            seen.errors.append(str(error))
    return seen


def _see_one(
    user: HubUser, homes: Homes, store: ControlStore, names: set[str], seen: _Seen
) -> None:
    home = homes.named(user.name)
    if not _is_there(home, homes, names):
        # What the spawner told counts more than the mapping.
        record = None
        with suppress(EFSQuotaError):
            record = store.read(user.name)
        home = homes.of(user.name, record.home if record else None)
    if _is_there(home, homes, names):
        seen.with_home += 1
        seen.claimed.add(home.relative_to(homes.home_root).parts[0])
    elif not _see_elsewhere(user.name, names, seen):
        if user.last_activity is None:
            seen.never_active += 1
        else:
            seen.missing.append(user.name)


def _see_elsewhere(user: str, names: set[str], seen: _Seen) -> bool:
    """Whether a directory is there that another way of naming homes would find."""
    fits = {setting: name for setting, other in _OTHERS.items() if (name := other(user)) in names}
    for setting, name in fits.items():
        seen.elsewhere.setdefault(setting, []).append((user, name))
    return bool(fits)


def _is_there(home: Path, homes: Homes, names: set[str]) -> bool:
    """By the one listing of the home root, where that is enough."""
    return home.name in names if home.parent == homes.home_root else home.is_dir()


def _judge(seen: _Seen, homes: Homes) -> Finding:
    said = f"{seen.with_home:,} of {counted(seen.users, 'user')} have a home"
    if not seen.complete:
        said += f" (there are more: only these were looked at in {_SECS:g} seconds)"
    if seen.errors:
        return wrong(_WHAT, f"{said}. {seen.errors[0]}", _DEFAULT)
    if seen.elsewhere:
        mend, found = max(seen.elsewhere.items(), key=lambda item: len(item[1]))
        shown = "; ".join(
            f"{user} has {name}, where {homes.named(user).name} was looked for"
            for user, name in found[:_FEW]
        )
        said += f", and {counted(len(found), 'user')} have one of another name: {shown}."
        return (wrong if len(found) > seen.with_home else warning)(_WHAT, said, mend)
    if seen.never_active:
        said += f"; {seen.never_active:,} without one were never active"
    if seen.missing:
        few = ", ".join(seen.missing[:_FEW])
        said += f"; {len(seen.missing):,} were active and have none, such as {few}"
    if len(seen.missing) > seen.with_home:
        looked = homes.named(seen.missing[0])
        return wrong(
            _WHAT,
            f"{said}, for whom {looked} was looked for.",
            f"ls {homes.home_root}  # and set c.EFSQuota.home_path to how homes are named",
        )
    return ok(_WHAT, f"{said}.")


def _without_user(names: list[str], homes: Homes, seen: _Seen) -> Finding:
    """Homes that nobody has any more are none of our business: they are told of."""
    what = "homes without a user"
    if not seen.complete:
        return not_looked_at(what, "Not all users were looked at.")
    names = [name for name in names if not name.startswith(".")]
    if not names:
        return ok(what, f"All directories in {homes.home_root} belong to users of the hub.")
    few = ", ".join(names[:_FEW])
    return ok(
        what, f"{counted(len(names), 'directory', 'directories')} in {homes.home_root}, as {few}."
    )
