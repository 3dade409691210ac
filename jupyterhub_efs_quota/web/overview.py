"""The administrator's overview, its what-if, and the settings in force."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tornado import web

from ..overview.in_force import in_force
from ..overview.wanted import MONTHS, MOST_MONTHS, Wanted
from ..overview.what_if import Defaults
from ..quota.sizes import KIB, parse_size
from ..users.as_json import plain
from .api.values import Whole
from .handlers import Handler
from .look import look
from .parts import Parts
from .show import TONES

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


class OverviewPage(Handler):
    """How the site stands as a whole."""

    @web.authenticated
    async def get(self) -> None:
        """Show it: `months` without activity are dormant, `quota` is a default to try out."""
        self.demand_administrator()
        parts, default = self.parts, self.parts.settings.default_quota
        tried, wrong = self._tried()
        found = await look(parts, Wanted(months=self._months(), quota=tried))
        steps = await asyncio.to_thread(lambda: _defaults(parts).steps(default))
        number, unit = in_unit(found.what_if.quota_bytes)
        self.page(
            "overview.html",
            overview=found,
            tones=TONES,
            tried=tried is not None,
            wrong=wrong,
            number=self.get_query_argument("quota", number) if wrong else number,
            unit=unit,
            units=UNITS,
            most_months=MOST_MONTHS,
            place=parts.board.surroundings and str(parts.board.surroundings.place),
            steps=[list(plain(step).values()) for step in steps],
            xsrf_token=self.xsrf_token.decode(),
        )

    def _months(self) -> int:
        try:
            return Whole(1, MOST_MONTHS).read(self.get_query_argument("months", str(MONTHS)))
        except ValueError as error:
            raise web.HTTPError(400, f"months {error}.") from None

    def _tried(self) -> tuple[int | None, str | None]:
        """The default to try out, and what is wrong with what was given for it."""
        if not self.get_query_argument("quota", ""):
            return None, None
        try:
            return read_quota(self), None
        except ValueError as error:
            return None, f"{error}."


class TryDefault(Handler):
    """Asked by the page's script for a default that is none of the slider's."""

    def get_login_url(self) -> str:
        """A script has no use for a page to log in."""
        raise web.HTTPError(403)

    @web.authenticated
    async def get(self) -> None:
        """Say what that default would do, as JSON."""
        self.demand_administrator()
        try:
            quota = read_quota(self)
        except ValueError as error:
            raise web.HTTPError(400, f"{error}.") from None
        found = await asyncio.to_thread(lambda: _defaults(self.parts).what_if(quota))
        self.write(plain(found))


class SettingsInForce(Handler):
    """The settings in force."""

    @web.authenticated
    async def get(self) -> None:
        """Show them."""
        self.demand_administrator()
        self.page("settings.html", settings=in_force(self.parts.settings))


def _defaults(parts: Parts) -> Defaults:
    return Defaults(row.record for row in parts.board.rows() if row.record is not None)


def read_quota(handler: Handler) -> int:
    """The size in a form's fields `quota` and `unit`. Raises ValueError."""
    number = handler.get_query_argument("quota", "").strip()
    unit = handler.get_query_argument("unit", UNITS[0])
    if unit not in UNITS:
        raise ValueError(f"The unit must be one of {', '.join(UNITS)}")
    try:
        return parse_size(number if unit == UNITS[0] else f"{number}{unit}")
    except ValueError:
        said = f"{number[:40]!r} is no number of {unit}, or more than any store holds"
        raise ValueError(said) from None


def in_unit(size: int) -> tuple[str, str]:
    """A size as a number, and the largest unit in which few digits tell it exactly."""
    for step in range(len(UNITS) - 1, 0, -1):
        hundredths, rest = divmod(size * 100, KIB**step)
        if size >= KIB**step and not rest:
            whole, part = divmod(hundredths, 100)
            return f"{whole}.{part:02}".rstrip("0").rstrip("."), UNITS[step]
    return str(size), UNITS[0]


def routes(prefix: str, given: Mapping[str, Any]) -> list[Any]:
    """The routes of these pages below the service's prefix."""
    return [
        (f"{prefix}overview", OverviewPage, given),
        (f"{prefix}overview/what-if", TryDefault, given),
        (f"{prefix}overview/settings", SettingsInForce, given),
    ]
