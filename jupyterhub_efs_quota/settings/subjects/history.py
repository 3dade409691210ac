"""The history: its database, and for how long it keeps what."""

from __future__ import annotations

from typing import Any

from traitlets import HasTraits, Int, TraitError, Unicode, validate

from ..checks import absolute

_DATABASES = ("sqlite:///", "postgres://", "postgresql://", "postgresql+psycopg://")


class HistorySettings(HasTraits):
    """Where the history is, and what of it is kept."""

    history_url = Unicode(
        "sqlite:///efs-quota.sqlite",
        help="""The database of the history: `sqlite:///PATH` or `postgresql://USER@HOST/NAME`.

        What was measured, changed and done. Enforcement does without it. A relative path is
        one in the directory in which the hub runs, where its own database is by default: a
        disk of the service's own, not the shared store. The commands need an absolute one.
        PostgreSQL is for several services, and for loops that run elsewhere. Empty: no
        history.""",
    ).tag(config=True)
    history_waiting = Unicode(
        "",
        help="""Directory for what waits to be written while that database is away.

        Default: beside the database of SQLite, else the directory in which the hub runs.""",
    ).tag(config=True)
    history_all_days = Int(
        30, min=1, help="For so many days all measurements are kept; then the last of each day."
    ).tag(config=True)
    history_daily_days = Int(
        365,
        min=1,
        help="For so many days one measurement a day is kept; then one a month, for ever.",
    ).tag(config=True)
    history_changes_days = Int(
        1825,
        min=1,
        help="For so many days changes of state and actions are kept: who did what to whom.",
    ).tag(config=True)

    @validate("history_url")
    def _database(self, proposal: Any) -> str:
        url = str(proposal["value"])
        # The rest is SQLAlchemy's business, which the hub's hook does without.
        if url and not url.startswith(_DATABASES):
            raise TraitError(
                "history_url must be sqlite:///PATH or postgresql://USER@HOST/NAME, or empty"
                " for no history"
            )
        return url

    @validate("history_waiting")
    def _place_to_wait_is_absolute(self, proposal: Any) -> str:
        return absolute(proposal)
