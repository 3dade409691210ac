"""Walks odd trees by a build of the compiled walk, and looks whether it counts right.

    python -m tests.unit.walk_trees LIBRARY TREES

For builds with the compiler's checkers, which are slow: so this loads little. Prints how
many trees were walked. Ends with an error where a count is wrong.
"""

import importlib.util
import os
import sys
import tempfile

from hypothesis import HealthCheck, given, settings

NAME = "jupyterhub_efs_quota.measure.walk._walk"
spec = importlib.util.spec_from_file_location(NAME, sys.argv[1])
sys.modules[NAME] = importlib.util.module_from_spec(spec)

from jupyterhub_efs_quota.measure.summary.part import finish  # noqa: E402
from jupyterhub_efs_quota.measure.summary.rules import Rules  # noqa: E402
from jupyterhub_efs_quota.measure.task import Task  # noqa: E402
from jupyterhub_efs_quota.measure.walk.engine import COMPILED, PARTS  # noqa: E402

from .home_by_hand import summary_by_hand  # noqa: E402
from .trees import NOW, plant, trees  # noqa: E402

# As it is, and with so few kept that most have to be left out.
RULES = (Rules(now=NOW), Rules(now=NOW, folders=3, largest=2, places=2))
walked = 0


@given(tree=trees)
@settings(
    max_examples=int(sys.argv[2]),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def walk(tree):
    global walked
    with tempfile.TemporaryDirectory() as place:
        home = os.path.join(place, "home")
        plant(home, tree)
        for rules in RULES:
            for allocated in (False, True):
                expected = summary_by_hand(home, rules, allocated=allocated)
                part = PARTS[COMPILED](Task(home, 60.0, rules=rules, allocated=allocated))
                assert finish([part], rules, allocated=allocated).summary == expected
        without = finish([PARTS[COMPILED](Task(home, 60.0))], None)
        assert expected.folders[0].sums == (without.bytes, without.allocated, without.files)
    walked += 1


walk()
print(walked)
