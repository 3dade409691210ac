"""A line of the table: what was measured, next to its target.

Made by the parts (warm.py, slow.py, ...), printed by report.py.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from jupyterhub_efs_quota.measure.walk.engine import COMPILED, PYTHON

ENGINE_NAMES = {COMPILED: "the compiled walk", PYTHON: "the walk in Python"}


@dataclass(frozen=True)
class Target:
    """What a figure has to be: at most, or at least, `bound`."""

    text: str
    bound: float
    least: bool = False

    def met_by(self, figure: float) -> bool:
        """Whether a figure, as precise as it is shown, reaches the target."""
        return figure >= self.bound if self.least else figure <= self.bound


@dataclass(frozen=True)
class Line:
    """One line. `met` is None where there is no target, or nothing was measured.

    `short` marks those that the README shows.
    """

    what: str
    measured: str
    target: str = ""
    met: bool | None = None
    note: str = ""
    short: bool = False


def at_most(bound: float, unit: str = "") -> Target:
    """A target that a figure must not pass."""
    return Target(f"at most {bound:g}{unit}", bound)


def at_least(bound: float, unit: str = "") -> Target:
    """A target that a figure has to reach."""
    return Target(f"at least {bound:g}{unit}", bound, least=True)


def share_line(
    what: str,
    ratios: Sequence[float],
    target: Target | None = None,
    note: str = "",
    of: str = "du",
    *,
    short: bool = False,
) -> Line:
    """`0.47 of du (0.45 to 0.50)`: the median of ratios, the least and the most."""
    figure = round(statistics.median(ratios), 2)
    measured = f"{figure:.2f} of {of} ({min(ratios):.2f} to {max(ratios):.2f})"
    return _line(what, measured, figure, target, note, short=short)


def speed_line(
    what: str,
    speeds: Sequence[float],
    target: Target | None = None,
    note: str = "",
    *,
    short: bool = False,
) -> Line:
    """`66 times as fast as du (60 to 70)`."""
    figure = _rounded(statistics.median(speeds))
    low, high = _rounded(min(speeds)), _rounded(max(speeds))
    measured = f"{figure:g} times as fast as du ({low:g} to {high:g})"
    return _line(what, measured, figure, target, note, short=short)


def figure_line(
    what: str,
    figure: float,
    unit: str,
    target: Target | None = None,
    note: str = "",
    *,
    short: bool = False,
) -> Line:
    """`12.3 MiB`."""
    rounded = round(figure, 1)
    return _line(what, f"{rounded:g} {unit}", rounded, target, note, short=short)


def left_out(what: str, why: str, target: Target | None = None) -> Line:
    """Something that cannot be measured here."""
    return Line(what, f"not measured: {why}", target.text if target else "")


def _line(
    what: str, measured: str, figure: float, target: Target | None, note: str, *, short: bool
) -> Line:
    if target is None:
        return Line(what, measured, note=note, short=short)
    return Line(what, measured, target.text, target.met_by(figure), note, short)


def _rounded(speed: float) -> float:
    return round(speed) if speed >= 10 else round(speed, 1)
