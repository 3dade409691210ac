"""The tree of a home's folders, and in which order it and what is listed stand. Pure.

For the page "Free up space": its parameters `sort` (of the folder that is open) and `tree`
name a column, with `-` before it from the largest or the latest down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ..freeing.listing import By, Order
from ..freeing.paths import Names, of_text
from ..quota.summary import Folder, Summary, Sums
from .free_view import Row, at, opening, pick, shown
from .words import number
from .words import size as shown_size

# Rows of the tree; what is lighter is found by opening folders.
_MOST_FOLDERS = 60
_DEEPEST = 6
LISTED, TREE = "name", "-size"
# What a click on a column asks for first.
_FIRST = {"name": "name", "size": "-size", "files": "-files", "changed": "changed", "type": "type"}


@dataclass(frozen=True)
class Column:
    """A column by which one can sort: where its title leads, and how it stands for `aria-sort`."""

    link: str
    sorted: str


@dataclass(frozen=True)
class Orders:
    """The orders that a page was asked for."""

    listed: str = LISTED
    tree: str = TREE

    @property
    def kept(self) -> str:
        """What links that open a folder say of them."""
        return self._query({"sort": self.listed, "tree": self.tree})

    def _query(self, wanted: Mapping[str, str]) -> str:
        usual = {"sort": LISTED, "tree": TREE}
        told = {name: text for name, text in wanted.items() if text != usual[name]}
        return f"&{urlencode(told)}" if told else ""

    def columns(self, names: Names) -> dict[str, Column]:
        """Those of the folder that is open."""
        return self._columns(names, "sort", self.listed, "#inside")

    def tree_columns(self, names: Names) -> dict[str, Column]:
        """Those of the tree; `names` is the folder that is open below it."""
        columns = self._columns(names, "tree", self.tree, "#where")
        return {name: column for name, column in columns.items() if name != "type"}

    def _columns(self, names: Names, which: str, now: str, place: str) -> dict[str, Column]:
        columns = {}
        for name, first in _FIRST.items():
            chosen = now.removeprefix("-") == name
            wanted = _other_way(now) if chosen else first
            query = self._query({"sort": self.listed, "tree": self.tree, which: wanted})
            columns[name] = Column(f"{opening(names)}{query}{place}", _aria(now) if chosen else "")
        return columns


def read_orders(listed: str, tree: str) -> Orders:
    """The orders that the page's parameters name; the usual ones for what is none."""
    known = {sign + name for name in _FIRST for sign in ("", "-")}
    return Orders(
        listed if listed in known else LISTED,
        tree if tree in known and "type" not in tree else TREE,
    )


def read_order(text: str, known: Mapping[bytes, Sums], *, allocated: bool) -> Order:
    """The order of a listing; `known` is what the folders in it hold."""
    return Order(By(text.removeprefix("-")), text.startswith("-"), known, allocated)


def folders(summary: Summary, order: str = TREE, *, allocated: bool) -> list[Row]:
    """The heaviest folders as a tree, each followed by those in it, in an order."""
    key, reverse = _tree_key(order, allocated=allocated), order.startswith("-")
    heaviest = sorted(
        (folder for folder in summary.folders if folder.path),
        key=lambda folder: -folder.sums[allocated],
    )[:_MOST_FOLDERS]
    found = {of_text(folder.path): folder for folder in heaviest}
    within: dict[Names, list[Names]] = {}
    for names in sorted(found, key=lambda names: key(found[names]), reverse=reverse):
        within.setdefault(_above(names, found), []).append(names)

    rows = []
    waiting: list[tuple[Names, Names, int]] = [
        (names, (), 0) for names in reversed(within.get((), []))
    ]
    while waiting:
        names, above, depth = waiting.pop()
        rows.append(_row(names, above, depth, found[names], allocated=allocated))
        waiting += [(inner, names, depth + 1) for inner in reversed(within.get(names, []))]
    return rows


def _above(names: Names, found: Mapping[Names, Folder]) -> Names:
    """The nearest folder above one that is shown too."""
    above = names[:-1]
    while above and above not in found:
        above = above[:-1]
    return above


def _row(names: Names, above: Names, depth: int, folder: Folder, *, allocated: bool) -> Row:
    return Row(
        pick(names),
        shown(names[len(above) :]) + "/",
        shown_size(folder.sums[allocated]),
        number(folder.sums.files),
        open=opening(names),
        depth=min(depth, _DEEPEST),
        changed=None if folder.newest is None else at(folder.newest),
    )


def _tree_key(order: str, *, allocated: bool) -> Callable[[Folder], Any]:
    name = order.removeprefix("-")
    if name == "files":
        return lambda folder: (folder.sums.files, folder.path)
    if name == "changed":
        return lambda folder: (folder.newest is not None, folder.newest or 0, folder.path)
    if name == "name":
        return lambda folder: folder.path
    return lambda folder: (folder.sums[allocated], folder.path)


def _other_way(order: str) -> str:
    return order.removeprefix("-") if order.startswith("-") else f"-{order}"


def _aria(order: str) -> str:
    return "descending" if order.startswith("-") else "ascending"
