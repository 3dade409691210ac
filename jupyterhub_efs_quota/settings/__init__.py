"""Every setting of the product: `c.EFSQuota.…` in jupyterhub_config.py.

Read by the hook inside the hub, by the service and by the commands, so that a setting is
given once. `setup(c)` hands them to the service. The settings themselves are in `subjects/`.
"""

from .efs_quota import EFSQuota
from .handing_over import HANDED_OVER, hand_over, handed_over
from .reading import read_file, resolve
from .values import HomeMapping, Seconds, Size, Times

__all__ = [
    "HANDED_OVER",
    "EFSQuota",
    "HomeMapping",
    "Seconds",
    "Size",
    "Times",
    "hand_over",
    "handed_over",
    "read_file",
    "resolve",
]
