"""Trees of files that hypothesis makes up, and planting them: of all types, ages and junk."""

import os

from hypothesis import strategies as st

NOW = 1_700_000_000

_told = st.sampled_from(
    [
        *(b"a", b"b", b"a.csv", b"b.PY", b".x.csv", b"x.tar.gz", b"n.ipynb", b"core.12", b"core.x"),
        *(b"__pycache__", b".cache", b"pkgs", b".conda", b".Trash-0", b"\xff.py", b"a\nb", b"."),
        *(b"c." + b"e" * 15, b"c." + b"e" * 16, b"dot.", "ü.csv".encode(), b".csv"),
    ]
).filter(lambda name: name != b".")
_any = st.binary(min_size=1, max_size=6).filter(
    lambda name: not set(b"/\0") & set(name) and name not in (b".", b"..")
)
names = st.one_of(_told, _told, _told, _any)
links = [b".", b"..", b"/", b"a", b"a/b", b"nowhere", b"a" * 200]
ages = st.sampled_from([-5, 0, 86400, 86401, 7 * 86400, 40 * 86400, 10**9])
times = st.tuples(ages, ages)
leaves = st.one_of(
    st.tuples(st.just("file"), st.sampled_from([0, 1, 5000, 5000, 20_000]), times),
    st.tuples(st.just("sparse"), st.sampled_from([9000, 2**40]), times),
    st.tuples(st.just("link"), st.sampled_from(links), times),
    st.tuples(st.just("hard link"), st.integers(0, 5), times),
    st.tuples(st.just("fifo"), st.none(), times),
)
trees = st.recursive(
    st.dictionaries(names, leaves, max_size=5),
    lambda inner: st.dictionaries(names, leaves | inner, max_size=6),
    max_leaves=30,
)


def plant(directory, tree, made=None):
    """Make a tree; a hard link is one to a file that was made before."""
    made = [] if made is None else made
    os.mkdir(directory)
    for name, what in tree.items():
        path = os.path.join(os.fsencode(directory), name)
        if isinstance(what, dict):
            plant(path, what, made)
            continue
        kind, value, (modified, accessed) = what
        if kind == "hard link":
            if made:
                os.link(made[value % len(made)], path, follow_symlinks=False)
            continue
        if kind == "link":
            os.symlink(value, path)
        elif kind == "fifo":
            os.mkfifo(path)
        else:
            with open(path, "wb") as file:
                file.truncate(value) if kind == "sparse" else file.write(b"x" * value)
        os.utime(path, (NOW - accessed, NOW - modified), follow_symlinks=False)
        made.append(path)
