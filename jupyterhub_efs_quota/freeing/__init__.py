"""Freeing space in a home: list, put aside into limbo, bring back, delete for good."""
