"""The end of a jupyterhub_config.py whose loops are run by cron, or as pods of their own.

There are no pages then: the hub has the hook, and a token for the loops.
"""

import os

from jupyterhub_efs_quota import pre_spawn_hook

c = get_config()  # noqa: F821

c.EFSQuota.quota_control = "/efs/quota-control"
c.EFSQuota.home_root = "/efs/users"

c.Spawner.pre_spawn_hook = pre_spawn_hook

c.JupyterHub.services.append(
    {"name": "efs-quota", "api_token": os.environ["EFS_QUOTA_TOKEN"]},
)
c.JupyterHub.load_roles.append(
    {
        "name": "efs-quota",
        "services": ["efs-quota"],
        "scopes": [
            "list:users",
            "read:users:activity",
            "read:users:groups",
            "read:servers",
            "delete:servers",
        ],
    },
)
