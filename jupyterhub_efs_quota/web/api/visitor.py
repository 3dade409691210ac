"""Who asks, and whom they may see and manage: by the custom scopes of their token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jupyterhub.services.auth import check_scopes

from ...hub.client import HubUser
from ..tokens import allowed_for

READ, MANAGE, ADMIN = (f"custom:efs-quota:{level}" for level in ("read", "manage", "admin"))
REPORT = "custom:efs-quota:report"
# Which scopes allow what: each contains the one before it, and the last one all.
_ENOUGH = {
    READ: (READ, MANAGE, ADMIN),
    MANAGE: (MANAGE, ADMIN),
    ADMIN: (ADMIN,),
    REPORT: (REPORT, ADMIN),
}


@dataclass(frozen=True)
class Visitor:
    """Who asks. `own` is the user they are; None for a service.

    `opens`: their token may open the pages of this service. With it they see themselves, as
    on their page, and an administrator of the hub may do everything. Other tokens of theirs,
    as that of a server, tell the hub's name for them too, and are good for less.
    """

    name: str
    scopes: frozenset[str]
    own: HubUser | None = None
    opens: bool = False

    @property
    def called(self) -> str:
        """What stands on record of what they do."""
        return self.name if self.own is not None else f"service {self.name}"

    def may(self, scope: str, user: HubUser) -> bool:
        """Whether a scope is theirs for a user: without a filter, by name, or by group."""
        if self.may_all(scope) or (scope == READ and self.is_own(user.name)):
            return True
        return any(allowed_for(each, self.scopes, user) for each in _ENOUGH[scope])

    def may_all(self, scope: str) -> bool:
        """Whether a scope is theirs for everybody."""
        if self.opens and self.own is not None and self.own.admin:
            return True
        return any(each in self.scopes for each in _ENOUGH[scope])

    def is_own(self, name: str) -> bool:
        """Whether they ask about themselves, and may."""
        return self.opens and self.own is not None and self.own.name == name

    def looks_after(self, user: HubUser, scope: str = READ) -> bool:
        """Whether a scope is theirs for a user, and not just for being that user."""
        if self.may_all(scope):
            return True
        return any(allowed_for(each, self._for_others, user) for each in _ENOUGH[scope])

    @property
    def leads(self) -> bool:
        """Whether they may look after some users, and not after all."""
        return not self.may_all(READ) and any(
            scope.partition("!")[0] in _ENOUGH[READ] for scope in self._for_others
        )

    @cached_property
    def groups(self) -> frozenset[str]:
        """The groups whom they look after, by name."""
        parts = (scope.partition("!group=") for scope in self._for_others)
        return frozenset(group for scope, _, group in parts if group and scope in _ENOUGH[READ])

    @cached_property
    def _for_others(self) -> frozenset[str]:
        """The scopes but for those that everybody has for themselves."""
        own = f"!user={self.own.name}" if self.own is not None else None
        return frozenset(each for each in self.scopes if own is None or not each.endswith(own))

    @property
    def may_anything(self) -> bool:
        """Whether there can be anything that they may see or do."""
        enough = {*_ENOUGH[READ], *_ENOUGH[REPORT]}
        return (self.opens and self.own is not None) or any(
            scope.partition("!")[0] in enough for scope in self.scopes
        )


def visitor_of(model: Mapping[str, Any], access_scopes: set[str]) -> Visitor:
    """The visitor whom the hub's answer about a token describes."""
    scopes = frozenset(model.get("scopes", ()))
    own = None
    if model.get("kind") == "user":
        groups = model.get("groups")
        own = HubUser(
            str(model["name"]),
            admin=model.get("admin") is True,
            groups=None if groups is None else tuple(str(group) for group in groups),
        )
    opens = bool(check_scopes(access_scopes, set(scopes)))
    return Visitor(str(model["name"]), scopes, own, opens)
