"""Quotas under the settings: explained, and changed in the control files.

For API, pages and commands alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from ..board import Board, Row
from ..control.store import ControlStore
from ..errors import CannotChange
from ..history.recorder import Recorder
from ..hub.client import HubUser
from ..quota.limits import Limit
from ..quota.record import Record
from ..settings import EFSQuota
from .change import Change, Wish, reset_quota, set_quota
from .explain import Explanation, explain
from .own_quota import OwnQuota, own_quota
from .plan import How, Line, Many, Plan, changed, make_plan, still_holds


class Quotas:
    """Explains quotas, and changes them under the user's lock: judged, saved, told at once.

    `set` and `reset` are blocking: call them off the event loop.
    """

    def __init__(
        self,
        settings: EFSQuota,
        store: ControlStore,
        clock: Callable[[], datetime],
        history: Recorder | None = None,
        board: Board | None = None,
    ) -> None:
        self._limits = settings.limits()
        self._grace_secs = settings.grace_secs
        self._store = store
        self._clock = clock
        self._history = history or Recorder()
        self._board = board or Board()

    def set(self, user: HubUser, wish: Wish, *, by: str) -> Change:
        """Give a user another quota, by an edit by hand; `by` is who asks for it.

        Raises WishError, LockHeld, BrokenFile or StoreError; then nothing has changed.
        """

        def decide(record: Record) -> Record:
            return set_quota(record, wish, self._clock(), self._grace_secs)

        return self._change(user, decide, by, wish.reason, wish.until)

    def reset(self, user: HubUser, *, by: str, reason: str | None = None) -> Change:
        """Give a user the quota that the settings give. Raises CannotChange, or as `set`."""
        limit = self.limit_of(user)

        def decide(record: Record) -> Record:
            return reset_quota(record, limit, self._clock(), self._grace_secs)

        return self._change(user, decide, by, reason, None)

    def plan(self, rows: Iterable[Row], many: Many) -> Plan:
        """What would come of a change for many users, by the records in the rows."""
        return make_plan(rows, many, self.limit_of, self._clock(), self._grace_secs)

    def carry_out(self, user: HubUser, many: Many, line: Line, *, by: str) -> Change:
        """Change a quota as a plan has shown it.

        Raises CannotChange if it would be another change by now, or as `set`.
        """
        limit = self.limit_of(user) if many.how is How.RESET else None

        def decide(record: Record) -> Record:
            after = changed(record, many, limit, self._clock(), self._grace_secs)
            if not still_holds(line, record, after):
                raise CannotChange("Something has changed since this was shown.")
            return after

        wish = many.wish
        return self._change(user, decide, by, wish.reason, wish.until, create=False)

    def explain(self, user: HubUser, record: Record) -> Explanation:
        """Why a user has this quota and this state, and what would change them."""
        return explain(record, user.groups, self._limits, self._clock(), self._grace_secs)

    def own_quota(self, user: HubUser, record: Record) -> OwnQuota | None:
        """What there is to say of a quota of the user's own: until when, why, and what then."""
        try:
            limit = self.limit_of(user)
        except CannotChange:
            limit = None
        return own_quota(record, limit, self._clock(), self._grace_secs)

    def limit_of(self, user: HubUser) -> Limit:
        """What the settings give a user. Raises CannotChange where that is not known."""
        if user.groups is None and self._limits.by_group(user.name):
            raise CannotChange(
                f"Which quota the settings give {user.name} is not known, since the service may"
                " not read groups: its token needs the scope read:users:groups."
            )
        return self._limits.limit_for(user.name, user.groups or ())

    def _change(
        self,
        user: HubUser,
        decide: Callable[[Record], Record],
        by: str,
        reason: str | None,
        until: datetime | None,
        *,
        create: bool = True,
    ) -> Change:
        with self._store.held(user.name, create=create) as held:
            before = held.read()
            known = before or Record(user.name)
            change = Change(before, decide(known))
            if change.after != before:
                held.write(change.after)
            if change.changed:
                self._history.quota_changed(known, change.after, by=by, reason=reason, until=until)
            self._history.judged(change.after, by=by)
            self._board.changed(change.after)
        return change
