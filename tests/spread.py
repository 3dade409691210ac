"""How tests are shared out where several processes run them (`pytest -n 2`, pytest-xdist).

A file's tests stay together, in their order. So do those of one real hub, from whatever
files: it is started once for all. What takes longest begins first, lest one process wait
for the other at the end. conftest.py makes it pytest's.
"""

import re

from xdist.scheduler import LoadScopeScheduling

# By how long they take, as `--durations` says; all others are quick.
LONGEST = (
    "tests/unit/test_walk_engines.py",
    "tests/real/",
    "tests/counters/",
    "tests/history/",
    "tests/unit/test_cluster.py",
)


class Spread(LoadScopeScheduling):
    """Gives each process one group of tests after the other."""

    def __init__(self, config, log=None):
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid):
        return together(nodeid)


def together(nodeid):
    """The name of the group that a test belongs to."""
    file = nodeid.partition("::")[0]
    hub = re.search(r"\[(http|ssl)\b", nodeid)
    if file.startswith("tests/real/") and hub:
        return f"tests/real/ over {hub[1]}"
    return file


def longest_first(nodeid):
    """For sorting tests."""
    group = together(nodeid)
    places = (place for place, name in enumerate(LONGEST) if group.startswith(name))
    return next(places, len(LONGEST))


def sendable(data):
    """What one process tells the others: odd names, in a log say, are no text to send."""
    if isinstance(data, str):
        return data.encode("utf-8", "backslashreplace").decode()
    if isinstance(data, dict):
        return {sendable(name): sendable(value) for name, value in data.items()}
    if isinstance(data, (list, tuple)):
        return type(data)(map(sendable, data))
    return data
