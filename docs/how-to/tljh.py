"""Storage quotas on The Littlest JupyterHub: /opt/tljh/config/jupyterhub_config.d/efs_quota.py."""

from jupyterhub_efs_quota import setup

c = get_config()  # noqa: F821

setup(
    c,
    quota_control="/var/lib/quota-control",
    home_root="/home",
    home_path="{home_root}/jupyter-{username}",
    default_quota="20Gi",
)
