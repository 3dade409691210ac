"""Values as pages show them: safe, and such that a script can put them into the reader's locale.

Without that script numbers stand as in English, and times in ISO, UTC.
"""

from __future__ import annotations

from datetime import datetime, timezone

from jinja2 import Environment
from markupsafe import Markup, escape

from ..quota.sizes import format_size
from ..service_client import segment
from ..words import figures
from ..words.names import plain
from ..words.sentence import Day, Moment, Number, Part, Size, parts_of

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


def days(count: float) -> Markup:
    """A number of days, which may be a part of one: `30`, `0.5`."""
    return Markup('<data class="number" value="{:g}">{:g}</data>').format(count, count)


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


def whole_day(time: datetime) -> Markup:
    """The day, in UTC, to which a moment belongs: it is the same day for every reader."""
    time = time.astimezone(timezone.utc)
    return Markup('<time datetime="{:%Y-%m-%d}">{:%Y-%m-%d}</time>').format(time, time)


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


def took(secs: float) -> Markup:
    """How long something took."""
    return Markup('<data class="secs" value="{:.1f}">{}</data>').format(secs, figures.took(secs))


def said(text: str) -> Markup:
    """A sentence: its sizes, numbers and times as all others, and its text safe to show."""
    return Markup().join(_part(part) for part in parts_of(text))


def _part(part: Part) -> Markup:
    if isinstance(part, Size):
        return size(part.bytes)
    if isinstance(part, Number):
        return number(part.count)
    if isinstance(part, (Moment, Day)):
        return (day if isinstance(part, Day) else moment)(part.time)
    return escape(plain(part))


_FILTERS = (
    size, grown, number, moment, iso, day, whole_day, day_of, name, cut, plain, said,
    figures.percent, segment, took,
)  # fmt: skip


def add_filters(environment: Environment) -> None:
    """Let templates use them."""
    for filter_ in _FILTERS:
        environment.filters[filter_.__name__] = filter_
