"""The control files: the one door to quota.yaml, quota.lock and measure.lock."""
