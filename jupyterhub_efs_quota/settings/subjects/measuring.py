"""When homes are measured, by what, and how fast."""

from __future__ import annotations

from typing import Any

from traitlets import Bool, Enum, Float, HasTraits, Int, List, Unicode, validate

from ...measure.meters import METERS, WALK
from ..checks import finite
from ..values import Seconds, Times


class MeasureSettings(HasTraits):
    """The loops, the meter, and what a measurement may cost."""

    monitor_period_secs = Seconds(14400.0, help="Seconds from one monitor cycle to the next.").tag(
        config=True
    )
    reaper_period_secs = Seconds(300.0, help="Seconds from one reaper cycle to the next.").tag(
        config=True
    )
    stale_quota_secs = Float(
        604800.0,
        min=0.0,
        help="A home is measured again after this time, even if its user was not active.",
    ).tag(config=True)
    du_timeout_secs = Seconds(
        3600.0, help="A measurement of one home is given up after this time."
    ).tag(config=True)
    meter = Enum(
        list(METERS),
        WALK,
        help="""What measures a home: our own walk, GNU du, or the file system's own counter.

        A counter answers at once, whatever the size of the home: `"cephfs"`, `"xfs"`,
        `"ext4"`, `"btrfs"`, `"lustre"`, `"zfs"`, each for homes that were set up for it, and
        `"lustre-user"`, `"zfs-user"`, which count all that a home's owner owns. `"auto"` asks
        the counter of the file system that a home is on, and walks where there is none, where
        it cannot tell about this home, where it does not tell the size of `size_basis`, and
        whatever it says is over the quota. Read the how-to "Let the file system count" first.""",
    ).tag(config=True)
    measure_concurrency = Int(
        4,
        min=1,
        help="""How many homes are measured at a time.

        A home for which somebody waits, at a page or for a server, does not wait behind
        these: there are up to four places more for each of the two.""",
    ).tag(config=True)
    walk_threads = Int(
        64,
        min=1,
        max=1024,
        help="""How many calls one measurement may have waiting for the store at a time.

        As many threads run only while the store is slow: on a quick one there are two or
        three. More than 64 help with stores that are far away, but not the walk in Python,
        which makes no use of more.""",
    ).tag(config=True)
    dask_scheduler = Unicode(
        "",
        help="""Address of a Dask scheduler on whose workers homes are measured, as in
        "tcp://dask:8786". Empty: they are measured here.

        The workers must have this package in the same version, and the homes mounted at the
        same path. `measure_concurrency` homes are measured at a time. What the connection
        needs besides (TLS) is Dask's own configuration. While the cluster is away, homes are
        measured here. Measurements before a spawn always are.""",
    ).tag(config=True)
    split_files = Int(
        2_000_000,
        min=0,
        help="""A home of more files is measured by many Dask workers together. 0: none is.

        By what the last measurement found. Only with `dask_scheduler`, and not with
        `cross_mounts`.""",
    ).tag(config=True)
    max_calls_per_second = Int(
        0,
        min=0,
        help="""How many calls to the store all measurements together may make in a second.

        About one for each file and two for each directory. 0: as many as they can. It
        holds for the walks of this service, not for `meter = "du"` nor on a Dask cluster.""",
    ).tag(config=True)
    brake_at = Times(
        3.0,
        help="""All measurements slow down when the store takes so many times as long as usual.

        What is usual is learnt from the walks themselves, and a store that answers within
        a millisecond is never too slow. 0: they never slow down.""",
    ).tag(config=True)
    cross_mounts = Bool(
        False, help="Whether other file systems mounted inside a home count too."
    ).tag(config=True)
    skip_directories = List(
        Unicode(),
        [".snapshot", ".zfs"],
        help="Names (or patterns like `*.snap`) of directories that are not measured.",
    ).tag(config=True)

    @validate("stale_quota_secs")
    def _age_of_a_measurement_is_finite(self, proposal: Any) -> float:
        return finite(proposal)
