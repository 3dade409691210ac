"""Scans: a whole store in a file of lines, written, read, and taken for measurements."""
