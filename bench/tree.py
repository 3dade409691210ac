"""A tree to measure: homes as people have them, the same for the same numbers.

Of all entries a third is one home with environments of hard links, a tenth one flat
directory, the rest homes of very different sizes.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

_DATA = bytes(range(256)) * 16


def make_tree(root: Path, entries: int, homes: int = 60, seed: int = 1) -> None:
    """Make a tree of about so many entries below `root`, which must not exist."""
    chance = random.Random(seed)
    root.mkdir(parents=True)
    first = entries * 3 // 10
    packages = root / "h000" / "packages"
    _fill(chance, packages, first // 8, depth=8)
    for name in ("a", "b"):
        _link_all(packages, root / "h000" / "environments" / name)
    _fill(chance, root / "h000" / "work", first * 5 // 8, depth=12)
    _files(chance, root / "h001" / "flat", entries // 10)
    shares = [min(chance.paretovariate(1.05), 60.0) for _ in range(homes - 2)]
    for number, share in enumerate(shares, start=2):
        count = int(entries * 0.6 * share / sum(shares))
        _fill(chance, root / f"h{number:03}", max(5, count), depth=chance.randrange(3, 10))


def _fill(chance: random.Random, top: Path, entries: int, depth: int) -> None:
    """Directories of about a dozen files, in and beside each other."""
    directories = [(top, 0)]
    while entries > 0:
        recent = directories[-40:] if chance.random() < 0.7 else directories
        above, level = chance.choice(recent)
        if level >= depth:
            above, level = above.parent, level - 1
        here = above / f"d{len(directories)}"
        directories.append((here, level + 1))
        count = min(entries, max(1, int(chance.lognormvariate(1.9, 1.1))))
        _files(chance, here, count)
        entries -= count + 1


def _files(chance: random.Random, here: Path, count: int) -> None:
    here.mkdir(parents=True, exist_ok=True)
    directory = os.open(here, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for number in range(count):
            _file(chance, f"file_{number:07}.dat", directory)
    finally:
        os.close(directory)


def _file(chance: random.Random, name: str, directory: int) -> None:
    kind = chance.random()
    if kind < 0.02:
        os.symlink(chance.choice(["..", "nowhere", "/etc/hostname"]), name, dir_fd=directory)
        return
    handle = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644, dir_fd=directory)
    try:
        if kind < 0.62:
            os.ftruncate(handle, chance.randrange(8192))
        elif kind > 0.77:
            os.write(handle, _DATA[: chance.randrange(1, 3000)])
    finally:
        os.close(handle)


def _link_all(source: Path, target: Path) -> None:
    for here, _, files in os.walk(source):
        there = target / Path(here).relative_to(source)
        there.mkdir(parents=True, exist_ok=True)
        for name in files:
            os.link(Path(here) / name, there / name, follow_symlinks=False)


# ---- trees for one question each ---------------------------------------------------------

_FILES_A_DIRECTORY, _BRANCHES = 19, 40


def make_even(root: Path, entries: int) -> None:
    """So many entries, a twentieth of them directories: the same shape at any size.

    Directory n lies in directory n // 40, so that none is far from the top.
    """
    root.mkdir(parents=True)
    paths = [str(root)]
    for number in range(max(1, entries // (_FILES_A_DIRECTORY + 1))):
        if number > 0:
            paths.append(f"{paths[number // _BRANCHES]}/d{number}")
            os.mkdir(paths[number])  # noqa: PTH102  (half a million times)
        handle = os.open(paths[number], os.O_RDONLY | os.O_DIRECTORY)
        for name in range(_FILES_A_DIRECTORY):
            os.mknod(f"file_{name:07}.dat", 0o644, dir_fd=handle)
        os.close(handle)


def make_flat(root: Path, entries: int) -> None:
    """One directory with so many files."""
    root.mkdir(parents=True)
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for number in range(entries):
        os.mknod(f"image_{number:08}.png", 0o644, dir_fd=handle)
    os.close(handle)


def make_deep(root: Path, levels: int) -> None:
    """So many directories in each other, a file in each."""
    root.mkdir(parents=True)
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(levels):
        os.mknod("file", 0o644, dir_fd=handle)
        os.mkdir("d", dir_fd=handle)
        deeper = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=handle)
        os.close(handle)
        handle = deeper
    os.close(handle)


def make_linked(root: Path, files: int) -> None:
    """So many files with two names each, a thousand in a directory."""
    for number in range(files):
        one, other = (root / side / f"d{number // 1000}" for side in ("one", "other"))
        if number % 1000 == 0:
            one.mkdir(parents=True)
            other.mkdir(parents=True)
        os.mknod(one / f"{number}", 0o644)
        os.link(one / f"{number}", other / f"{number}")
