"""Processes that measure: started and ended, whose turn it is, how fast they may go."""
