"""`python -m jupyterhub_efs_quota`: the command line."""

from .commands import main

main()
