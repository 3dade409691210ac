"""Splits the measurement of a huge home into sub-trees, for who measures these elsewhere.

Called by `cluster.py`. The upper levels are read first, breadth first, until so many
folders are known that each can be measured by somebody else. The parts put together
(`finish`) are what one walk would have found.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from ..meters import AUTO, WALK
from ..summary.part import Path
from ..task import Task

FOLDERS = 64


def may_split(task: Task) -> bool:
    """Whether the parts of a home can be told from what is none of its.

    A ceiling is passed by all parts together or not at all, and a mount within the home
    has another number on each machine. `files` is known where the last meter was the walk.
    """
    walks = task.meter == WALK or (task.meter == AUTO and task.files is not None)
    return walks and task.ceiling is None and not task.cross_mounts


def upper_levels(task: Task, folders: int | None = None) -> Task:
    """Reads the upper levels of a home and leaves that many folders, or none, to others."""
    return replace(task, in_parts=True, leave=folders or FOLDERS)


def shares(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks in at most as many shares as folders are wanted, alike in number."""
    return [list(tasks[first::FOLDERS]) for first in range(min(FOLDERS, len(tasks)))]


def sub_trees(task: Task, left: Sequence[Path]) -> list[Task]:
    """Measure what reading the upper levels has left."""
    return [replace(task, in_parts=True, below=tuple(map(os.fsdecode, path))) for path in left]
