"""An example of a jupyterhub_config.py with storage quotas. `./scripts/demo` runs this file.

The first part is a small hub on one machine, as short as can be: yours is there already.
The second part is about the quotas: copy it to the end of your own configuration, and
take out what does not interest you. Lines that are commented out show the defaults (or
an example, where there is none by default).
"""

import json
import os

from jupyterhub_efs_quota import setup

c = get_config()  # noqa: F821

# --- The hub ---------------------------------------------------------------------------

# Who may log in: here one password for all users, and a longer one for administrators.
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = os.environ.get("HUB_USER_PASSWORD")
c.SharedPasswordAuthenticator.admin_password = os.environ.get("HUB_ADMIN_PASSWORD")
c.Authenticator.allowed_users = {"alice", "bob", "carol", "dave", "erin", "grace"}
c.Authenticator.admin_users = {"admin"}

# Where servers run: here as processes of the hub's own system user, on the hub's machine.
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = os.environ.get("HUB_HOMES", "/efs/users/{username}")
c.Spawner.default_url = "/lab"

# Groups may have quotas of their own, and members who look after everybody's storage.
c.JupyterHub.load_groups = {
    "research": {"users": ["grace"]},
    "storage-support": {"users": ["erin"]},
}
c.JupyterHub.load_roles = [
    {
        "name": "storage-support",
        "description": "Sees the storage of all users, without being an administrator",
        "groups": ["storage-support"],
        "scopes": ["custom:efs-quota:admin"],
    },
    {
        "name": "research-lead",
        "description": "Sees what members of the group hold, and changes their quotas",
        "users": ["alice"],
        "scopes": ["custom:efs-quota:manage!group=research"],
    },
]

# --- Where things are ------------------------------------------------------------------

# The control files, one folder a user. The directory must exist; the service writes it,
# the hub reads it.
c.EFSQuota.quota_control = "/efs/quota-control"

# The homes: all are below the root, and the template says which is whose. It may name
# {home_root}, {username}, {escaped_username} and {slug_username}.
c.EFSQuota.home_root = "/efs/users"
c.EFSQuota.home_path = "{home_root}/{username}"

# A file with more lines like these, such as a long list of users' quotas.
# c.EFSQuota.config_file = "/etc/jupyterhub/quotas.py"

# --- Who may hold how much -------------------------------------------------------------

# Sizes are 10Gi, 500M, 1.5T or bytes, in powers of 1024. A user's own quota goes before
# those of groups (the highest counts), those before the default. A quota edited by hand
# in a control file goes before all.
c.EFSQuota.default_quota = "200Gi"
c.EFSQuota.group_quotas = {"research": "2Ti"}
c.EFSQuota.user_quotas = {"homer@example.org": "500Gi"}

# Numbers of files can be limited as well. 0: no limit.
# c.EFSQuota.default_file_limit = 0
# c.EFSQuota.group_file_limits = {"research": 10_000_000}
# c.EFSQuota.user_file_limits = {"homer@example.org": 2_000_000}

# What counts: the files' own sizes ("apparent"), or what they take on disk ("allocated").
# c.EFSQuota.size_basis = "apparent"

# How long users may be over their quota before they are locked out, in seconds.
# c.EFSQuota.grace_secs = 0

# Who is going to be full within so many days, as they grow, is told when. 0: nobody.
# c.EFSQuota.full_soon_days = 14

# Whether those who are over when first seen keep what they have.
# c.EFSQuota.grandfather = False

# --- When homes are measured, and how --------------------------------------------------

# The monitor measures who was active since, who is over, and whose record is old.
# c.EFSQuota.monitor_period_secs = 4 * 3600
# c.EFSQuota.stale_quota_secs = 7 * 24 * 3600
# c.EFSQuota.measure_concurrency = 4
# c.EFSQuota.du_timeout_secs = 3600

# The reaper judges every record, and stops the servers of users in lockout.
# c.EFSQuota.reaper_period_secs = 300

# What measures: "walk", which is our own, "du", or the file system's own counter: "auto"
# asks it where it can tell, "cephfs", "xfs", "ext4", "btrfs", "lustre" and "zfs" insist.
# c.EFSQuota.meter = "walk"
# c.EFSQuota.walk_threads = 64

# How many calls a second all measurements make (0: as many as they can), and how many times
# slower than usual the store may get before they slow down.
# c.EFSQuota.max_calls_per_second = 0
# c.EFSQuota.brake_at = 3.0
# c.EFSQuota.cross_mounts = False
# c.EFSQuota.skip_directories = [".snapshot", ".zfs"]

# A Dask cluster whose workers mount the store and measure the homes; "" measures them here.
# A home of more than `split_files` files is then measured by many of them together.
# c.EFSQuota.dask_scheduler = ""
# c.EFSQuota.split_files = 2_000_000

# A scan by wrstat (or by `jupyterhub-efs-quota measure --export`), in place of measuring the
# homes that it shows to be within their quota. "" is none.
# c.EFSQuota.scan_file = ""
# c.EFSQuota.scan_max_age_secs = 172800
# c.EFSQuota.scan_home_root = ""

# How the contents of a home are sorted: by extension, by what can be done without, by age.
# These replace the defaults; `c.EFSQuota.file_types.update({...})` adds to them.
# c.EFSQuota.file_types = {"tables": ["csv", "parquet"], "books": ["epub"]}
# c.EFSQuota.junk = {"caches": ["/.cache/"], "compiled Python": ["__pycache__/"]}
# c.EFSQuota.age_days = [7, 30, 90, 180, 365, 730, 1825]

# --- Free up space ---------------------------------------------------------------------

# Whether users may delete on the page "Free up space". What they delete lies in limbo, from
# where they can bring it back for some days: at most so many times their quota.
# c.EFSQuota.allow_delete = False
# c.EFSQuota.limbo = ""  # .efs-quota-limbo below home_root
# c.EFSQuota.limbo_days = 7
# c.EFSQuota.limbo_share = 1.0

# --- What happens at a spawn -----------------------------------------------------------

# A locked home is measured once more before its user is refused, for so many seconds.
# c.EFSQuota.on_lockout = "refuse"
# c.EFSQuota.verify_secs = 3

# With on_lockout = "rescue" they get their server for a while, to delete in it; the next time
# after a pause. It is stopped if the home grows, and some time after they are back.
# c.EFSQuota.rescue_secs = 3600
# c.EFSQuota.rescue_pause_secs = 86400
# c.EFSQuota.rescue_measure_secs = 300
# c.EFSQuota.rescue_growth = "100Mi"
# c.EFSQuota.rescue_back_secs = 600

# What it writes lies in this directory of the server's, not in the home, which may be full.
# Smaller than usual: {"mem_limit": "1G", "cpu_limit": 1}, or whatever the spawner has.
# c.EFSQuota.rescue_directory = "/tmp"
# c.EFSQuota.rescue_overrides = {}

# If the control file cannot be read in time: "allow" the spawn, or "refuse" it.
# c.EFSQuota.on_error = "allow"
# c.EFSQuota.hook_timeout = 5

# Whether administrators keep their own servers in a lockout.
# c.EFSQuota.admins_exempt = True

# Servers are told how their user stands, in STORAGE_QUOTA_BYTES, STORAGE_USED_BYTES,
# STORAGE_MEASURED_AT, STORAGE_FULL_AT and STORAGE_LOCKED_AT.
# c.EFSQuota.storage_environment = True

# --- What others read ------------------------------------------------------------------

# Prometheus reads /services/efs-quota/metrics with a token that has the scope
# read:metrics, or a port of its own without one: 0 is no such port.
# c.EFSQuota.metrics_port = 0
# c.EFSQuota.metrics_bind = "127.0.0.1"

# A series for each home: "off", by "names", or by "pseudonyms", made with a secret.
# c.EFSQuota.user_metrics = "off"
# c.EFSQuota.metrics_key_file = ""

# All users' quotas as Open OnDemand reads them, in a file that everybody may read.
# c.EFSQuota.ood_quota_file = ""
# c.EFSQuota.ood_quota_file_mode = "0644"

# --- The history ------------------------------------------------------------------------

# Where measurements, changes and runs are kept: a file of SQLite's on a disk of this machine,
# or PostgreSQL. What waits while the database is away is kept in files beside it.
# c.EFSQuota.history_url = "sqlite:///efs-quota.sqlite"
# c.EFSQuota.history_waiting = ""

# All measurements are kept for so many days, then one a day, then one a month.
# c.EFSQuota.history_all_days = 30
# c.EFSQuota.history_daily_days = 365
# c.EFSQuota.history_changes_days = 1825
# c.EFSQuota.activity_days = 400

# --- Jobs: the loops, and what reports its runs here -------------------------------------

# Whether a job ran lately, often enough, and as long as usual: a check each, by its name, as
# {"backup": {"job": "nightly-backup", "recent_minutes": 1560}}.
# c.EFSQuota.activity_checks = {}

# A file with the names of jobs that are switched off. By default in quota_control.
# c.EFSQuota.switched_off_file = ""

# How long each job ran goes to a StatsD, by UDP.
# c.EFSQuota.statsd_host = ""
# c.EFSQuota.statsd_port = 8125
# c.EFSQuota.statsd_prefix = ""
# c.EFSQuota.statsd_environment = ""

# How mails are sent, and to which administrators. 0 is the usual port.
# c.EFSQuota.smtp_host = ""
# c.EFSQuota.smtp_port = 0
# c.EFSQuota.smtp_security = "none"
# c.EFSQuota.smtp_user = ""
# c.EFSQuota.smtp_password_file = ""
# c.EFSQuota.mail_from = ""
# c.EFSQuota.mail_to = []

# --- The pages and the log -------------------------------------------------------------

# The pages are at /services/efs-quota/, and "Storage" in the hub's Services menu.
# c.EFSQuota.service_name = "efs-quota"
# c.EFSQuota.menu_text = "Storage"

# Each user's own storage, as a bar, on the hub's home and spawn pages, and as a line while a
# server starts.
# c.EFSQuota.show_on_hub_pages = True

# A JSON object a line, or "console": lines for people.
# c.EFSQuota.log_format = "json"
# c.EFSQuota.log_level = "INFO"

# False where something else than the hub starts the service.
# c.EFSQuota.exit_with_hub = True

# --- Last: what makes all of this work -------------------------------------------------

# For you this is just `setup(c)`. Settings given here by name go before those above: so
# the demo has its own folders, its small quotas and its short periods.
setup(c, **json.loads(os.environ.get("DEMO_SETTINGS", "{}")))
