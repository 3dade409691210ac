"""A loop = plan, work, say how it went."""
