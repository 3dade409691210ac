"""Everything that talks to the hub or runs inside it."""
