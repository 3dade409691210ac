"""Who may hold how much, and how long somebody may be over."""

from __future__ import annotations

from typing import Any

from traitlets import Bool, Dict, Enum, Float, HasTraits, Int, Unicode, validate

from ...quota.ahead import Foresight
from ...quota.limits import Limits
from ..checks import finite
from ..values import Size


class QuotaSettings(HasTraits):
    """Limits on sizes and on files, and when they come into force."""

    default_quota = Size(
        "200Gi",
        help="What a user may hold: `10Gi`, `500M`, `1.5T` or bytes. Powers of 1024.",
    ).tag(config=True)
    group_quotas = Dict(
        key_trait=Unicode(),
        value_trait=Size(),
        help="Quotas of the members of a hub group; the highest of a user's groups counts.",
    ).tag(config=True)
    user_quotas = Dict(
        key_trait=Unicode(),
        value_trait=Size(),
        help="""Quotas of single users. Only a hand edit of a control file goes before them.

        0 allows nothing. For no quota at all, write `quota_enabled: false` into the user's
        control file.""",
    ).tag(config=True)
    default_file_limit = Int(
        0, min=0, help="How many files and links a user may hold. 0: no limit."
    ).tag(config=True)
    group_file_limits = Dict(
        key_trait=Unicode(), value_trait=Int(min=0), help="File limits of groups. 0: no limit."
    ).tag(config=True)
    user_file_limits = Dict(
        key_trait=Unicode(),
        value_trait=Int(min=0),
        help="File limits of single users. 0: no limit.",
    ).tag(config=True)
    grace_secs = Float(
        0.0,
        min=0.0,
        help="How long a user may be over before the lockout. Until then it is a violation.",
    ).tag(config=True)
    full_soon_days = Float(
        14.0,
        min=0.0,
        help="""Who is going to be full within so many days reads when, at each spawn.

        At the growth of the last weeks, as the history has it. 0: nobody is told. The page of
        the user's own storage says it in any case.""",
    ).tag(config=True)
    grandfather = Bool(
        False,
        help="""Users who are over when first seen keep what they have.

        Their limit becomes that day's usage, rounded up to the next GiB.""",
    ).tag(config=True)
    size_basis = Enum(
        ["apparent", "allocated"],
        "apparent",
        help="Which size counts: the files' own (apparent), or what they take on disk (allocated).",
    ).tag(config=True)

    @validate("grace_secs", "full_soon_days")
    def _times_of_quotas_are_finite(self, proposal: Any) -> float:
        return finite(proposal)

    def limits(self) -> Limits:
        """Who gets which limit."""
        return Limits(
            default_bytes=self.default_quota,
            default_files=self.default_file_limit,
            group_bytes=self.group_quotas,
            group_files=self.group_file_limits,
            user_bytes=self.user_quotas,
            user_files=self.user_file_limits,
        )

    def foresight(self) -> Foresight:
        """What is to come for a user."""
        return Foresight(self.grace_secs, self.full_soon_days)
