"""What the service tells Prometheus: what happened, how users stand, and each home's size."""
