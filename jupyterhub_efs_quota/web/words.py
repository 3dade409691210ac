"""Values as pages show them: safe, and such that a script can put them into the reader's locale.

Without that script numbers stand as in English, and times in ISO, UTC.
"""

from __future__ import annotations

from datetime import datetime, timezone

from jinja2 import Environment
from markupsafe import Markup

from ..quota.sizes import format_size
from ..service_client import segment
from ..words.figures import took
from ..words.names import plain

# Longer names are cut in the middle: a page of a hundred paths stays small.
LONGEST_NAME = 160


def size(count: int) -> Markup:
    """A size in bytes: `<data class="size" value="2048">2.0 KiB</data>`."""
    return Markup('<data class="size" value="{}">{}</data>').format(count, format_size(count))


def grown(count: int) -> Markup:
    """By how much a size became another: with its sign."""
    return Markup("{}{}").format("+" if count >= 0 else "\u2212", size(abs(count)))


def number(count: int) -> Markup:
    """A number: `<data class="number" value="1234">1,234</data>`."""
    return Markup('<data class="number" value="{}">{:,}</data>').format(count, count)


def moment(time: datetime) -> Markup:
    """A moment, to the minute."""
    time = time.astimezone(timezone.utc)
    return Markup('<time datetime="{:%Y-%m-%dT%H:%M:%SZ}">{:%Y-%m-%d %H:%M} UTC</time>').format(
        time, time
    )


def iso(time: datetime) -> str:
    """A moment for a script."""
    return f"{time.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def day(time: datetime) -> Markup:
    """The day of a moment."""
    time = time.astimezone(timezone.utc)
    return Markup('<time class="day" datetime="{:%Y-%m-%dT%H:%M:%SZ}">{:%Y-%m-%d}</time>').format(
        time, time
    )


def day_of(seconds: int) -> Markup:
    """The day of a Unix time; nothing for what no calendar has."""
    try:
        return day(datetime.fromtimestamp(seconds, timezone.utc))
    except (OverflowError, OSError, ValueError):
        return Markup()


def name(text: str) -> str:
    """A file's name as text that cannot be mistaken for another, nor turn the page around."""
    return cut(plain(text))


def cut(shown: str) -> str:
    """Text that is safe to show, cut in the middle if it is too long."""
    if len(shown) <= LONGEST_NAME:
        return shown
    end = LONGEST_NAME * 2 // 3
    return f"{shown[: LONGEST_NAME - end - 1]}…{shown[-end:]}"


def percent(share: float) -> str:
    """A share from 0 to 1, whole: `12 %`."""
    return "under 1 %" if 0 < share < 0.005 else f"{share * 100:.0f} %"


_FILTERS = (
    size, grown, number, moment, iso, day, day_of, name, cut, plain, percent, segment, took,
)  # fmt: skip


def add_filters(environment: Environment) -> None:
    """Let templates use them."""
    for filter_ in _FILTERS:
        environment.filters[filter_.__name__] = filter_
