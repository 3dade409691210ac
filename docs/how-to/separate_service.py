"""The end of a jupyterhub_config.py whose hub does not start the quota service itself."""

import os

from jupyterhub_efs_quota import setup

c = get_config()  # noqa: F821

# The hook in the hub reads the control files, so these stand here too.
c.EFSQuota.quota_control = "/efs/quota-control"
c.EFSQuota.home_root = "/efs/users"

setup(
    c,
    # Where the service listens, as the hub and the proxy reach it.
    url="http://storage.example.org:10189",
    # A secret of your own, that the service has too: openssl rand -hex 32
    api_token=os.environ["EFS_QUOTA_TOKEN"],
)
