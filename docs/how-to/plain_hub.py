"""The end of a jupyterhub_config.py whose users have homes like /home/alice."""

from jupyterhub_efs_quota import setup

c = get_config()  # noqa: F821

# ... your own settings stand here ...

# Where the control files are: make this directory first.
c.EFSQuota.quota_control = "/var/lib/quota-control"

# All homes are below the root; the template says which is whose.
c.EFSQuota.home_root = "/home"
c.EFSQuota.home_path = "{home_root}/{username}"

c.EFSQuota.default_quota = "50Gi"
c.EFSQuota.group_quotas = {"research": "2Ti"}

# Last: it reads what stands above, and adds to it.
setup(c)
