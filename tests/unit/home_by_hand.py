"""What a home's usage and summary should be, worked out as plainly as possible.

Reads everything with os.walk and keeps everything: no parts, no early pruning.
"""

import fnmatch
import os
import re
import stat
from collections import defaultdict

from jupyterhub_efs_quota.quota.summary import Folder, Junk, LargeFile, Summary, Sums


def total(files):
    return Sums(
        sum(file["bytes"] for file in files),
        sum(file["allocated"] for file in files),
        len(files),
    )


def add(several):
    return Sums(*map(sum, zip(*several))) if several else Sums()


def shown(path):
    return b"/".join(path).decode("utf-8", "surrogateescape")


def names_match(names, pattern):
    parts = os.fsencode(pattern.strip("/")).split(b"/")
    if not pattern.startswith("/") and len(parts) == 1:
        names = names[-1:]
    return len(names) == len(parts) and all(
        re.fullmatch(fnmatch.translate(part.decode("latin-1")), name.decode("latin-1"))
        for part, name in zip(parts, names)
    )


def from_home(pattern):
    return "/" in pattern.rstrip("/")


def kind_of(names, rules, folders):
    """Patterns for names at any depth are asked before those from the home."""
    for second in (False, True):
        for kind, patterns in rules.junk:
            for pattern in patterns:
                if pattern.endswith("/") == folders and from_home(pattern) == second:
                    if names_match(names, pattern):
                        return kind
    return None


def type_of(name, rules):
    stem, dot, extension = name.rpartition(b".")
    if stem and dot and len(extension) <= 15:
        # The last type that names an extension has it.
        for kind, extensions in reversed(rules.types):
            if extension.lower().decode("latin-1") in extensions:
                return kind
    return "other"


def band_of(time, rules):
    for band, days in enumerate(rules.ages_days):
        if time > rules.now - days * 86400:
            return band
    return len(rules.ages_days)


def summary_by_hand(home, rules, *, allocated=False):
    home = os.fsencode(home)
    folders, files = {}, defaultdict(list)
    for place, _, _ in os.walk(home):
        above = tuple(os.path.relpath(place, home).split(b"/")) if place != home else ()
        folders[above] = os.lstat(place).st_blocks * 512
        for entry in os.scandir(place):
            found = entry.stat(follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):
                files[found.st_ino].append(((*above, entry.name), found))
    files = [one_file(names, rules) for names in files.values()]

    def below(path):
        """All files of a folder, and its own blocks with those of the folders in it."""
        inside = [file for file in files if file["where"][: len(path)] == path]
        own = [blocks for other, blocks in folders.items() if other[: len(path)] == path]
        sums = total(inside)
        sums = sums._replace(allocated=sums.allocated + sum(own))
        newest = max((file["modified"] for file in inside), default=None)
        return Folder(shown(path), sums, len(own), newest)

    def weight(sums):
        return (sums.allocated if allocated else sums.bytes) + 4096 * sums.files

    everything = {path: below(path) for path in folders}
    best = sorted(
        (path for path in everything if path),
        key=lambda path: (-weight(everything[path].sums), path),
    )
    junk = places(everything, files, rules)
    large = sorted(
        (file for file in files if file["regular"]),
        key=lambda file: (-file["allocated" if allocated else "bytes"], file["path"]),
    )
    times = [file["modified"] for file in files]
    return Summary(
        now=rules.now,
        folders=(
            everything[()],
            *(everything[path] for path in best[: rules.folders]),
        ),
        types={
            name: total([file for file in files if file["type"] == name])
            for name in rules.type_names
        },
        ages_days=rules.ages_days,
        modified=by_band(files, rules, "modified"),
        accessed=by_band(files, rules, "accessed"),
        largest=tuple(
            LargeFile(shown(file["path"]), file["bytes"], file["allocated"], file["modified"])
            for file in large[: rules.largest]
        ),
        junk={name: add([sums for _, kind, sums in junk if kind == name]) for name in rules.kinds},
        junk_places=tuple(
            Junk(kind, shown(path), sums)
            for path, kind, sums in sorted(junk, key=lambda one: (-weight(one[2]), one[0]))[
                : rules.places
            ]
        ),
        oldest=min(times, default=None),
        newest=max(times, default=None),
    )


def one_file(names, rules):
    """A file with all its names: of the types that these have the first in order counts."""
    paths = sorted(path for path, _ in names)
    found = names[0][1]
    regular = stat.S_ISREG(found.st_mode)
    sized = regular or stat.S_ISLNK(found.st_mode)
    types = [type_of(path[-1], rules) if regular else "other" for path in paths]
    return {
        "path": paths[0],
        "where": os.path.commonprefix([path[:-1] for path in paths]),
        "several": found.st_nlink > 1,
        "regular": regular,
        "bytes": found.st_size if sized else 0,
        "allocated": found.st_blocks * 512 if sized else 0,
        "type": min(types, key=rules.type_names.index),
        "modified": int(found[stat.ST_MTIME]),
        "accessed": int(found[stat.ST_ATIME]),
    }


def by_band(files, rules, what):
    return tuple(
        total([file for file in files if band_of(file[what], rules) == band])
        for band in range(len(rules.ages_days) + 1)
    )


def places(everything, files, rules):
    """(path, kind, sums) of all junk: the outermost folders, and files outside of them."""
    found = []
    roots = {}
    for path in sorted(everything, key=len):
        inside = any(path[:depth] in roots for depth in range(len(path)))
        kind = None if inside or not path else kind_of(path, rules, True)
        if kind is not None:
            roots[path] = kind
            found.append((path, kind, everything[path].sums))
    for file in files:
        path = file["path"]
        if file["several"] or any(path[:depth] in roots for depth in range(len(path))):
            continue
        kind = kind_of(path, rules, False)
        if kind is not None:
            found.append((path, kind, total([file])))
    return found
