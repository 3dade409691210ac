"""The settings by subject, in the order of docs/reference/settings.md: a module each.

`..efs_quota` puts them together. No module knows another: what takes several subjects is
in `..efs_quota` or `..together`.
"""
