"""What homes are summed up by: types of files, what can be done without, ages."""

from __future__ import annotations

from typing import Any

from traitlets import Dict, HasTraits, Int, List, Unicode, validate

from ...measure.summary.check_rules import checked_ages, checked_junk, checked_types
from ...measure.summary.rules import AGES_DAYS, JUNK, TYPES, Rules
from ..checks import checked


class SummarySettings(HasTraits):
    """Into what the contents of a home are sorted."""

    file_types = Dict(
        key_trait=Unicode(),
        value_trait=List(Unicode()),
        default_value={name: list(extensions) for name, extensions in TYPES.items()},
        help="""What files are sorted into by the last extension of their names.

        A name for each type, with its extensions: lower case, without the dot. What has none
        of them is `other`. To add to the defaults, write
        `c.EFSQuota.file_types.update({"point clouds": ["las", "laz"]})`.""",
    ).tag(config=True)
    junk = Dict(
        key_trait=Unicode(),
        value_trait=List(Unicode()),
        default_value={kind: list(patterns) for kind, patterns in JUNK.items()},
        help="""What can be done without, by kind: patterns for folders and files.

        A pattern that ends in `/` is for folders, another for files. One with a further `/`
        is a path from the home (`/.cache/`), another a name at any depth (`__pycache__/`).
        `*`, `?` and `[0-9]` match within one name. Nothing is removed: it is only shown.""",
    ).tag(config=True)
    age_days = List(
        Int(),
        list(AGES_DAYS),
        help="Where one band of ages ends and the next begins, in days, rising.",
    ).tag(config=True)

    @validate("file_types")
    def _known_types(self, proposal: Any) -> dict[str, list[str]]:
        return checked(proposal, checked_types)

    @validate("junk")
    def _known_junk(self, proposal: Any) -> dict[str, list[str]]:
        return checked(proposal, checked_junk)

    @validate("age_days")
    def _rising_ages(self, proposal: Any) -> list[int]:
        return checked(proposal, checked_ages)

    def rules(self, now: float) -> Rules:
        """How homes are summed up; ages count back from `now` (Unix time)."""
        return Rules(
            now=int(now),
            types=tuple((name, tuple(group)) for name, group in self.file_types.items()),
            junk=tuple((kind, tuple(group)) for kind, group in self.junk.items()),
            ages_days=tuple(self.age_days),
        )
