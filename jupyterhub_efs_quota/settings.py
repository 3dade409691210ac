"""Every setting of the product: `c.EFSQuota.…` in jupyterhub_config.py.

One class, read by the hook inside the hub, by the service and by the commands, so that
a setting is given once. `setup(c)` hands them to the service.
"""

from __future__ import annotations

import difflib
import importlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from traitlets import (
    Bool,
    Dict,
    Enum,
    Float,
    Int,
    List,
    TraitError,
    TraitType,
    Unicode,
    validate,
)
from traitlets.config import Config, Configurable
from traitlets.config.loader import (
    ConfigFileNotFound,
    DeferredConfig,
    LazyConfigValue,
    PyFileConfigLoader,
)

from .activity.named import checks_of
from .errors import SettingsError
from .homes import Homes, check_template
from .measure.meters import METERS, WALK
from .measure.summary.check_rules import checked_ages, checked_junk, checked_types
from .measure.summary.rules import AGES_DAYS, JUNK, TYPES, Rules
from .quota.ahead import Foresight
from .quota.limits import Limits
from .quota.rescue import Terms
from .quota.sizes import parse_size

Value = TypeVar("Value")
# How setup(c) hands the settings to the service that the hub starts.
HANDED_OVER = "JUPYTERHUB_EFS_QUOTA_SETTINGS"
_DATABASES = ("sqlite:///", "postgres://", "postgresql://", "postgresql+psycopg://")
# One environment variable may hold 128 KiB.
# Less is what any store does by itself.
_LEAST_TIMES = 1.5
_MOST_HANDED_OVER = 120 * 1024
# What makes a server this user's, and what calls us.
_NOT_IN_A_RESCUE = {"user", "hub", "name", "orm_spawner", "api_token", "pre_spawn_hook"}


class Size(TraitType[int, int | str]):
    """A size in bytes: `10Gi`, `500M`, `1.5T`, or a number."""

    info_text = "a size like 10Gi, 500M, 1.5T, or a number of bytes"

    def validate(self, obj: Any, value: Any) -> int:
        """The size in bytes, or a TraitError."""
        try:
            return parse_size(value)
        except ValueError as error:
            raise TraitError(f"{self.name}: {error}") from None

    def from_string(self, s: str) -> int:
        """A size given on the command line."""
        return parse_size(s)


class HomeMapping(TraitType[Any, Any]):
    """A template, a callable, or the name of one as `module:function`."""

    info_text = "a template, a callable, or its name as module:function"

    def validate(self, obj: Any, value: Any) -> Any:
        """The template or the callable, or a TraitError."""
        if callable(value):
            return value
        if not isinstance(value, str):
            self.error(obj, value)
        module, colon, function = value.partition(":")
        if colon and "{" not in value and "/" not in value:
            try:
                return getattr(importlib.import_module(module), function)
            except Exception as error:  # whatever the site's own module raises
                raise TraitError(f"home_path: {value!r} cannot be imported: {error}") from None
        try:
            check_template(value)
        except SettingsError as error:
            raise TraitError(str(error)) from None
        return value


class Seconds(Float[float, float]):
    """A time in seconds, above 0."""

    def validate(self, obj: Any, value: Any) -> float:
        """The time, or a TraitError."""
        seconds = float(super().validate(obj, value))
        if not 0 < seconds < math.inf:
            raise TraitError(f"{self.name} must be a time above 0 seconds, not {value!r}")
        return seconds


class Times(Float[float, float]):
    """How many times as much as usual is too much: 1.5 or more, or 0 for never."""

    def validate(self, obj: Any, value: Any) -> float:
        """The number, or a TraitError."""
        times = float(super().validate(obj, value))
        if times and not _LEAST_TIMES <= times < math.inf:
            raise TraitError(
                f"{self.name} must be {_LEAST_TIMES} or more, or 0 for never, not {value!r}"
            )
        return times


class EFSQuota(Configurable):
    """Storage quotas for JupyterHub homes."""

    quota_control = Unicode(
        "/efs/quota-control",
        help="""Directory of the control files: one folder a user, with quota.yaml in it.

        The service writes it, the hub reads it. It must exist.""",
    ).tag(config=True)
    home_root = Unicode(
        "/efs/users",
        help="Directory below which all homes are. Nothing outside of it is ever measured.",
    ).tag(config=True)
    home_path = HomeMapping(
        "{home_root}/{escaped_username}",
        help="""Where a user's home is: a template, or a callable from the user's name to a path.

        The template may name {home_root}, {username}, {escaped_username}
        (`homer@stsci.edu` -> `homer-40stsci-2eedu`) and {slug_username} (KubeSpawner 7's
        safe name). A callable must be importable by the service too: give a function of a
        module, or its name as "module:function".""",
    ).tag(config=True)
    config_file = Unicode(
        "",
        help="""A file with more of these settings, `c.EFSQuota.…` lines in Python.

        Read by the hub and by the service. For long lists of users, or for a callable.""",
    ).tag(config=True)

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

    scan_file = Unicode(
        "",
        help="""A scan by wrstat, or by `measure --export`, to read instead of the homes.

        A path, or a pattern such as `/scans/*_users*.stats.gz`, of which the newest counts.
        Homes that are within their quota, by the record and by the scan, get the scan's
        numbers. All others are measured, and so are all if the scan is no use.""",
    ).tag(config=True)
    scan_max_age_secs = Seconds(
        172800.0, help="Scans that began longer ago than this are not read."
    ).tag(config=True)
    scan_home_root = Unicode(
        "",
        help="""Where `home_root` is in the scan, if it was made with other paths.

        Empty: the paths are those that `home_root` has here, with symbolic links resolved.""",
    ).tag(config=True)
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

    allow_delete = Bool(
        False,
        help="""Whether users may delete on the page "Free up space".

        The service then needs to write the homes: see the how-to. Otherwise the page shows
        where the space goes, and commands to copy.""",
    ).tag(config=True)
    limbo = Unicode(
        "",
        help="""Directory for what users have deleted, until it is purged.

        On the file system of the homes and in none of them; made for the service alone, with
        mode 0700. Empty: `.efs-quota-limbo` in `home_root`.""",
    ).tag(config=True)
    limbo_days = Float(
        7.0, min=0.0, help="For so many days users can bring back what they have deleted."
    ).tag(config=True)
    limbo_share = Float(
        1.0,
        min=0.0,
        help="""How many times their quota users may have in limbo, which does not count.

        What does not go in can only be deleted for good. 0: nothing goes in.""",
    ).tag(config=True)

    on_lockout = Enum(
        ["refuse", "rescue"],
        "refuse",
        help="""What happens to the spawn of a user in lockout.

        `"rescue"`: for `rescue_secs` they may start their server all the same, so that they
        can delete in it. It works in a home that is full, and is stopped if the home grows.
        See the how-to "Let locked-out users in to clean up".""",
    ).tag(config=True)
    rescue_secs = Seconds(
        3600.0,
        help="""How long a rescue lasts, from its first server on.

        Who stops that and starts again within it has what is left.""",
    ).tag(config=True)
    rescue_pause_secs = Float(
        86400.0,
        min=0.0,
        help="So long after its end may the next rescue of the same lockout begin.",
    ).tag(config=True)
    rescue_measure_secs = Seconds(300.0, help="How often a home is measured in a rescue.").tag(
        config=True
    )
    rescue_growth = Size(
        "100Mi",
        help="""How much a home may grow in a rescue, before its server is stopped.

        Counted from the first measurement after its beginning. Where there is a limit on files,
        10,000 more of them are too many as well.""",
    ).tag(config=True)
    rescue_back_secs = Float(
        600.0,
        min=0.0,
        help="How long a rescue server goes on when its user is back under the quota.",
    ).tag(config=True)
    rescue_directory = Unicode(
        "/tmp",  # noqa: S108 - where a folder with a name that nobody can guess is made
        help="""Where a rescue server keeps what it must write to run: a directory outside the home.

        As the server sees it, in its container. It makes a folder in it.""",
    ).tag(config=True)
    rescue_overrides = Dict(
        key_trait=Unicode(),
        help="""Settings of the spawner for rescue servers: `{"mem_limit": "1G", "cpu_limit": 1}`.

        For that server only: the next one has the usual ones again. Numbers, text, lists and
        dictionaries. Your own spawn hook and the profiles of KubeSpawner go before them.""",
    ).tag(config=True)
    on_error = Enum(
        ["allow", "refuse"],
        "allow",
        help="What happens to a spawn when the control file cannot be read in time.",
    ).tag(config=True)
    hook_timeout = Seconds(
        5.0, help="Seconds in which the spawn hook must have read the control file."
    ).tag(config=True)
    verify_secs = Float(
        3.0,
        min=0.0,
        help="""Seconds in which a locked home is measured again before a spawn is refused.

        0: it is not measured, the record stands.""",
    ).tag(config=True)
    admins_exempt = Bool(
        True, help="Whether hub administrators keep their own servers in a lockout."
    ).tag(config=True)
    storage_environment = Bool(
        True,
        help="""Whether servers are told how their user stands, in environment variables.

        `STORAGE_QUOTA_BYTES`, `STORAGE_USED_BYTES`, `STORAGE_MEASURED_AT`, `STORAGE_FULL_AT`
        and `STORAGE_LOCKED_AT`, each where it is known and where the site has not set it
        itself.""",
    ).tag(config=True)

    metrics_port = Int(
        0,
        min=0,
        max=65535,
        help="""Port on which the service serves `/metrics` to Prometheus, without a login. 0: none.

        The same is at `/services/efs-quota/metrics`, for tokens of the hub with the scope
        `read:metrics`.""",
    ).tag(config=True)
    metrics_bind = Unicode(
        "127.0.0.1",
        help="""Address of this machine on which `metrics_port` listens. Empty: all of its own.

        Whoever reaches it reads the metrics: leave it to Prometheus, by a firewall or a
        network policy.""",
    ).tag(config=True)
    user_metrics = Enum(
        ["off", "names", "pseudonyms"],
        "off",
        help="""Whether the metrics have series for each home, such as `dirsize_total_size_bytes`.

        With `"names"` their label `directory` is the name of the home on disk; with
        `"pseudonyms"` a code for it, that only who has `metrics_key_file` can tell. How much
        somebody holds is personal data: ask whether you may keep it.""",
    ).tag(config=True)
    metrics_key_file = Unicode(
        "",
        help="""File with the secret for `user_metrics = "pseudonyms"`, of 16 bytes or more.

        As long as it is the same, so are the pseudonyms. Only the service should be able to
        read it.""",
    ).tag(config=True)
    ood_quota_file = Unicode(
        "",
        help="""File in which Open OnDemand finds all users' quotas (`OOD_QUOTA_PATH`).

        Replaced whole at the end of each cycle of the monitor and the reaper. Its directory
        must exist. Empty: none is written.""",
    ).tag(config=True)
    ood_quota_file_mode = Enum(
        ["0600", "0640", "0644"],
        "0644",
        help="""Who may read `ood_quota_file`: its owner, its group, or everybody on the machine.

        Open OnDemand reads it as the user who is logged in, so every user must be able to.""",
    ).tag(config=True)

    history_url = Unicode(
        "sqlite:///efs-quota.sqlite",
        help="""The database of the history: `sqlite:///PATH` or `postgresql://USER@HOST/NAME`.

        What was measured, changed and done. Enforcement does without it. A relative path is
        one in the directory in which the hub runs, where its own database is by default: a
        disk of the service's own, not the shared store. The commands need an absolute one.
        PostgreSQL is for several services, and for loops that run elsewhere. Empty: no
        history.""",
    ).tag(config=True)
    history_waiting = Unicode(
        "",
        help="""Directory for what waits to be written while that database is away.

        Default: beside the database of SQLite, else the directory in which the hub runs.""",
    ).tag(config=True)
    history_all_days = Int(
        30, min=1, help="For so many days all measurements are kept; then the last of each day."
    ).tag(config=True)
    history_daily_days = Int(
        365,
        min=1,
        help="For so many days one measurement a day is kept; then one a month, for ever.",
    ).tag(config=True)
    history_changes_days = Int(
        1825,
        min=1,
        help="For so many days changes of state and actions are kept: who did what to whom.",
    ).tag(config=True)
    activity_days = Int(400, min=1, help="For so many days the runs of all jobs are kept.").tag(
        config=True
    )
    activity_checks = Dict(
        Dict(),
        help="""Checks whether jobs run as they should: a name each, and what is asked.

        `{"backup": {"job": "nightly backup", "host": "store1", "recent_minutes": 1560}}`.
        `job`, and `host` unless it may be any; then at least one of these. `recent_minutes`:
        a success within so many. `window_minutes` with `at_least` (so many successes within
        it) or `longest_gap_minutes`, or both. `last_runs` with `least_mean_secs` and
        `most_mean_secs` (how long these took on average) or `most_spreads` (how many times
        the usual spread the newest may be off).

        Of the service's own jobs `monitor`, `reaper` and `limbo` a success is asked within
        three of their periods, unless a check here is about that job.""",
    ).tag(config=True)
    switched_off_file = Unicode(
        "",
        help="""File with the names of jobs that are switched off, one a line.

        Default: `switched-off.txt` in `quota_control`, so that it holds on all machines.""",
    ).tag(config=True)
    statsd_host = Unicode(
        "",
        help="""Host of a StatsD that is sent how long each job ran, by UDP. Empty: none is.

        As `script_activity,env=ENV,name=NAME`, in milliseconds.""",
    ).tag(config=True)
    statsd_port = Int(8125, min=1, max=65535, help="Its port.").tag(config=True)
    statsd_prefix = Unicode("", help="What stands before the name, with a dot between.").tag(
        config=True
    )
    statsd_environment = Unicode("", help="The value of the tag `env`. Empty: no such tag.").tag(
        config=True
    )
    smtp_host = Unicode(
        "", help="Host that takes mails, such as `localhost`. Empty: no mail is sent."
    ).tag(config=True)
    smtp_port = Int(
        0,
        min=0,
        max=65535,
        help="Its port. 0: the usual one, which is 25, 587 with `starttls`, 465 with `tls`.",
    ).tag(config=True)
    smtp_security = Enum(
        ["none", "starttls", "tls"],
        "none",
        help="How the connection is made safe: not at all, after its beginning, or from it on.",
    ).tag(config=True)
    smtp_user = Unicode("", help="The name to log in with. Empty: no login.").tag(config=True)
    smtp_password_file = Unicode(
        "", help="File with its password, which only the service should be able to read."
    ).tag(config=True)
    mail_from = Unicode("", help="The address that mails come from.").tag(config=True)
    mail_to = List(Unicode(), help="The administrators' addresses, to which mails go.").tag(
        config=True
    )

    service_name = Unicode(
        "efs-quota", help="The service's name in the hub: its pages are at /services/NAME/."
    ).tag(config=True)
    menu_text = Unicode(
        "Storage", help="What the hub's Services menu and admin page call the pages."
    ).tag(config=True)
    show_on_hub_pages = Bool(
        True,
        help="""Show each user their own storage, as a bar, on the hub's home and spawn pages.

        And as a line in the progress of each spawn.""",
    ).tag(config=True)
    log_format = Enum(
        ["json", "console"],
        "json",
        help="The service's log: a JSON object a line, or lines for people.",
    ).tag(config=True)
    log_level = Enum(
        ["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"], "INFO", help="The least level logged."
    ).tag(config=True)
    exit_with_hub = Bool(
        True,
        help="""Whether the service ends when the process that started it is gone.

        False for a service that something else than the hub starts.""",
    ).tag(config=True)

    @validate("history_url")
    def _database(self, proposal: Any) -> str:
        url = str(proposal["value"])
        # The rest is SQLAlchemy's business, which the hub's hook does without.
        if url and not url.startswith(_DATABASES):
            raise TraitError(
                "history_url must be sqlite:///PATH or postgresql://USER@HOST/NAME, or empty"
                " for no history"
            )
        return url

    @validate(
        "quota_control",
        "home_root",
        "config_file",
        "scan_file",
        "scan_home_root",
        "metrics_key_file",
        "ood_quota_file",
        "history_waiting",
        "limbo",
        "rescue_directory",
        "switched_off_file",
        "smtp_password_file",
    )
    def _absolute(self, proposal: Any) -> str:
        path = Path(proposal["value"])
        if proposal["value"] and (not path.is_absolute() or ".." in path.parts):
            raise TraitError(
                f"{proposal['trait'].name} must be an absolute path without '..',"
                f" not {proposal['value']!r}"
            )
        return str(proposal["value"])

    @validate("activity_checks")
    def _known_checks(self, proposal: Any) -> dict[str, Any]:
        def check(named: dict[str, Any]) -> dict[str, Any]:
            checks_of(named)
            return named

        return _checked(proposal, check)

    @validate("file_types")
    def _known_types(self, proposal: Any) -> dict[str, list[str]]:
        return _checked(proposal, checked_types)

    @validate("junk")
    def _known_junk(self, proposal: Any) -> dict[str, list[str]]:
        return _checked(proposal, checked_junk)

    @validate("age_days")
    def _rising_ages(self, proposal: Any) -> list[int]:
        return _checked(proposal, checked_ages)

    @validate("rescue_overrides")
    def _plain_overrides(self, proposal: Any) -> dict[str, Any]:
        return _checked(proposal, checked_overrides)

    @validate(
        *("grace_secs", "full_soon_days", "stale_quota_secs"),
        *("verify_secs", "limbo_days", "limbo_share"),
        *("rescue_pause_secs", "rescue_back_secs"),
    )
    def _finite(self, proposal: Any) -> float:
        if not math.isfinite(proposal["value"]):
            raise TraitError(f"{proposal['trait'].name} must be a finite number")
        return float(proposal["value"])

    def homes(self) -> Homes:
        """The home mapping."""
        return Homes(self.home_root, self.home_path)

    def foresight(self) -> Foresight:
        """What is to come for a user."""
        return Foresight(self.grace_secs, self.full_soon_days)

    def limbo_place(self) -> Path:
        """The directory of limbo."""
        return Path(self.limbo) if self.limbo else Path(self.home_root) / ".efs-quota-limbo"

    def rescue_terms(self) -> Terms | None:
        """What a rescue may be; None where none is offered."""
        if self.on_lockout != "rescue":
            return None
        return Terms(
            self.rescue_secs,
            self.rescue_pause_secs,
            self.rescue_growth,
            back_secs=self.rescue_back_secs,
        )

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

    def rules(self, now: float) -> Rules:
        """How homes are summed up; ages count back from `now` (Unix time)."""
        return Rules(
            now=int(now),
            types=tuple((name, tuple(group)) for name, group in self.file_types.items()),
            junk=tuple((kind, tuple(group)) for kind, group in self.junk.items()),
            ages_days=tuple(self.age_days),
        )


def checked_overrides(overrides: dict[str, Any]) -> dict[str, Any]:
    """The overrides of rescue servers, if the service can be told of them. Raises ValueError."""
    for name, value in overrides.items():
        if not name.isidentifier() or name.startswith("_"):
            raise ValueError(f"{name!r} is no setting of a spawner")
        if name in _NOT_IN_A_RESCUE:
            raise ValueError(f"{name} cannot be another one for a rescue")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise ValueError(
                f"{name} must be a number, text, a list or a dictionary, not {value!r}"
            ) from None
    return overrides


def _checked(proposal: Any, check: Callable[[Value], Value]) -> Value:
    try:
        return check(proposal["value"])
    except ValueError as error:
        raise TraitError(f"{proposal['trait'].name}: {error}") from None


def resolve(config: Config) -> EFSQuota:
    """The settings in a configuration, and in the file that its `config_file` names.

    What the configuration says itself goes before the file. Raises SettingsError,
    naming the setting, for one that does not exist or has a bad value.
    """
    section = _section(config)
    path = section.get("config_file")
    if isinstance(path, (str, Path)) and str(path):
        section = {**_section(read_file(str(path))), **section}
    settings = EFSQuota()
    for name, value in section.items():
        _assign(settings, name, value)
    _check_meter(settings)
    _check_rescue(settings)
    if settings.user_metrics == "pseudonyms" and not settings.metrics_key_file:
        raise SettingsError(
            "c.EFSQuota.user_metrics = 'pseudonyms' needs c.EFSQuota.metrics_key_file:"
            " a file with a secret. Make one: head -c 32 /dev/urandom > FILE; chmod 600 FILE"
        )
    return settings


def _check_meter(settings: EFSQuota) -> None:
    meter, facts = settings.meter, METERS[settings.meter]
    limits = settings.limits()
    if not facts.files and (limits.default_files or limits.group_files or limits.user_files):
        raise SettingsError(
            f"c.EFSQuota.meter = {meter!r} counts no files: limits on files need meter = 'walk'."
        )
    amiss = facts.amiss(
        settings.size_basis,
        cross_mounts=settings.cross_mounts,
        skip=settings.skip_directories,
    )
    if amiss is not None:
        raise SettingsError(
            f"c.EFSQuota.meter = {meter!r} cannot be: {amiss}. Change one of them, or set"
            " meter = 'walk'."
        )


def _check_rescue(settings: EFSQuota) -> None:
    if settings.on_lockout != "rescue":
        return
    if not settings.rescue_directory:
        raise SettingsError("c.EFSQuota.rescue_directory must be a directory, such as '/tmp'.")
    if settings.rescue_measure_secs > settings.rescue_secs:
        raise SettingsError(
            f"c.EFSQuota.rescue_measure_secs = {settings.rescue_measure_secs:g} is longer than a"
            f" rescue (rescue_secs = {settings.rescue_secs:g}): nobody would see a home grow."
        )


def _assign(settings: EFSQuota, name: str, value: Any) -> None:
    trait = settings.traits(config=True).get(name)
    if trait is None:
        close = difflib.get_close_matches(name, settings.traits(config=True), n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise SettingsError(f"c.EFSQuota.{name} is no setting.{hint}")
    try:
        if isinstance(value, Path):
            value = str(value)
        elif isinstance(value, LazyConfigValue):
            value = value.get_value(getattr(settings, name))
        elif isinstance(value, DeferredConfig):
            value = value.get_value(trait)
        setattr(settings, name, value)
    except (TraitError, ValueError) as error:
        raise SettingsError(f"c.EFSQuota.{name} = {value!r}: {error}") from None


def read_file(path: str) -> Config:
    """A configuration file in Python. Raises SettingsError if it is missing or fails."""
    try:
        config: Config = PyFileConfigLoader(str(Path(path).absolute())).load_config()
        return config
    except ConfigFileNotFound:
        raise SettingsError(f"The configuration file {path} does not exist.") from None
    except Exception as error:  # whatever the site's own code raises
        raise SettingsError(
            f"The configuration file {path} fails: {type(error).__name__}: {error}"
        ) from error


def hand_over(config: Config) -> str:
    """The settings as text for the service's environment. Raises SettingsError.

    Only what the configuration itself says: the service reads `config_file` too.
    """
    settings = resolve(config)
    section = {name: getattr(settings, name) for name in _section(config)}
    if callable(section.get("home_path")):
        section["home_path"] = _importable("home_path", section["home_path"])
    text = json.dumps(section)
    if len(text.encode()) > _MOST_HANDED_OVER:
        longest = max(section, key=lambda name: len(json.dumps(section[name])))
        raise SettingsError(
            f"c.EFSQuota.{longest} is too long to hand to the service:"
            " move it into a file and name that in c.EFSQuota.config_file."
        )
    return text


def handed_over(environment: Mapping[str, str]) -> Config:
    """The settings that `hand_over` put into an environment. Raises SettingsError."""
    try:
        section = json.loads(environment.get(HANDED_OVER, "{}"))
        return Config({"EFSQuota": dict(section)})
    except (ValueError, TypeError):
        raise SettingsError(f"The variable {HANDED_OVER} is damaged: restart the hub.") from None


def _section(config: Config) -> dict[str, Any]:
    return dict(config.EFSQuota) if "EFSQuota" in config else {}


def _importable(name: str, function: Any) -> str:
    module = getattr(function, "__module__", None)
    qualified = getattr(function, "__qualname__", "")
    try:
        found = importlib.import_module(module or "")
        for part in qualified.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError, TypeError):
        found = None
    if found is not function or "." in qualified or module == "__main__":
        raise SettingsError(
            f"c.EFSQuota.{name}: the service runs in another process and cannot import this"
            " function. Put it into a module, or into a file that c.EFSQuota.config_file names."
        )
    return f"{module}:{qualified}"
