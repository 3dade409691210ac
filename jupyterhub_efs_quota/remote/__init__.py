"""The commands that ask a running service over its API: users, quotas, history, runs."""
