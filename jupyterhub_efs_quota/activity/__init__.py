"""Runs of jobs, our own and the site's: put on record, timed, checked, switched off."""
