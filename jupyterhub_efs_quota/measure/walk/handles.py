"""How a walk opens directories, and how many handles it may have for that.

Called by the walks, and by the processes that walk as they start.
"""

from __future__ import annotations

import os
import resource

# A link in a directory's place is refused, and nothing that is opened makes us wait.
OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
# Each thread that waits for a far store holds a few; more than this helps nobody.
_MOST_OPEN = 2048
_LEAST_OPEN = 8


def allow_handles() -> None:
    """Let this process have as many handles as the system lets it ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * _MOST_OPEN
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_open() -> int:
    """How many handles a walk keeps open: a part of what the process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MOST_OPEN
    return max(_LEAST_OPEN, min(_MOST_OPEN, soft // 4))
